import { callApi } from "./pctApi";
import { runPct } from "./pctCommands";
import { pull, push } from "./pctFiles";

const host = { callApi, etcPve: "/etc/pve", print: (line: string) => console.log(line), push, pull };

// Whatever fails ends with 255, as in PVE/CLI/pct.pm.
runPct(host, process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 255;
});
