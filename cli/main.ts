import { program } from "./program";

program.parseAsync().catch((error: Error) => {
  // The message of a script already begins with the word.
  console.error(error.message.replace(/^(?:error: )?/, "error: "));
  process.exitCode = 1;
});
