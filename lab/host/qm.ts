import { text } from "node:stream/consumers";
import { callApi } from "./pctApi";
import { runQm } from "./qmCommands";

const host = {
  ...{ callApi, etcPve: "/etc/pve", print: (line: string) => console.log(line) },
  input: () => text(process.stdin),
};

// Whatever fails ends with 255, as in PVE/CLI/qm.pm.
runQm(host, process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 255;
});
