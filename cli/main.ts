import { program } from "./program";

program.parseAsync().catch((error: Error) => {
  // A script's message already begins with "error: ".
  console.error(error.message.replace(/^(?:error: )?/, "error: "));
  process.exitCode = 1;
});
