/* A run through the Automation API, as in another person's program: FOLDER STACK COMMAND [debug]. */
const { LocalWorkspace } = require("@pulumi/pulumi/automation");

const [, , workDir, stackName, command, debug] = process.argv;
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function main() {
  const stack = await LocalWorkspace.selectStack({ workDir, stackName });
  // The result contains the stack's outputs, secrets included. It is meant for the caller, so it is not printed.
  await stack[command]({ onEvent: print, onOutput: print, onError: print, debug: debug === "debug" });
}

void main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
