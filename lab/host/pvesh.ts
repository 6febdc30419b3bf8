import { callApi } from "./pctApi";
import { runPvesh } from "./pveshCommands";

runPvesh({ callApi, print: (line) => console.log(line) }, process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 255;
});
