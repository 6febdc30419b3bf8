import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { registryPort } from "../lab";
import { serveFolder } from "./artifactServer";

/*
 * Runs the Proxmox host's services: the API, sshd, a name server, the server of K3s artifacts, and a registry if the lab has
 * one. If a service ends, it logs that and ends the lab: a lab that runs only in part would be confusing.
 */

const logDir = "/var/log/lab";
const log = (line: string) => fs.appendFileSync(path.join(logDir, "host.log"), `${new Date().toISOString()} ${line}\n`);

function service(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  const output = fs.openSync(path.join(logDir, `${name}.log`), "a");
  const child = spawn(command, args, { stdio: ["ignore", output, output], env: { ...process.env, ...env } });
  fs.closeSync(output);
  log(`${name} started as ${child.pid}`);
  child.on("error", (error) => end(`${name}: ${error.message}`));
  child.on("exit", (code, signal) => end(`${name} ended with ${code ?? signal}`));
}

function end(why: string): void {
  log(`${why}; ending the lab`);
  process.exit(1);
}

const address = process.env["LAB_ADDRESS"]!;
service("api", process.execPath, ["--import", "tsx", "lab/host/apiMain.ts"]);
service("sshd", "/usr/sbin/sshd", ["-D", "-e"]);
// Answers with the names of /etc/hosts and forwards no query.
service("dns", "/usr/sbin/dnsmasq", [
  ...["--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--pid-file", "--user=root"],
  ...["--no-resolv", "--bind-interfaces", `--listen-address=${address}`],
]);
if (process.env["LAB_REGISTRY"])
  service("registry", "/usr/local/bin/docker-registry", ["serve", "lab/registry/config.yml"], {
    REGISTRY_HTTP_ADDR: `${address}:${registryPort}`,
  });
// The program uses a mirror without TLS only with known checksums. With TLS, the mirror has the host's certificate.
const tls = {
  cert: fs.readFileSync("/etc/pve/nodes/pve/pve-ssl.pem"),
  key: fs.readFileSync("/etc/pve/nodes/pve/pve-ssl.key"),
};
for (const listen of [{ port: 8080 }, { port: 8443, tls }])
  serveFolder("/srv/artifacts", { host: address, ...listen }).catch((error: Error) =>
    end(`artifacts: ${error.message}`),
  );
