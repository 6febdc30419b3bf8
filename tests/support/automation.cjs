/* A run by the Automation API, as a program of somebody else would make it: FOLDER STACK COMMAND [debug]. */
const { LocalWorkspace } = require("@pulumi/pulumi/automation");

const [, , workDir, stackName, command, debug] = process.argv;
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function main() {
  const stack = await LocalWorkspace.selectStack({ workDir, stackName });
  // What it returns holds the stack's outputs, secrets included: that is for the caller.
  await stack[command]({ onEvent: print, onOutput: print, onError: print, debug: debug === "debug" });
}

void main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
