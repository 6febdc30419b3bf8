// Node.js loads this before Pulumi's SDK and index.ts (`nodeargs` in Pulumi.yaml). It keeps compiled code next to the packages,
// so that later runs do not compile again: V8's code for the packages, and esbuild's for the program. Types are checked by `npm
// run typecheck`.
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const nodeModule = require("node:module");
const path = require("node:path");

const cache = path.join(__dirname, "node_modules/.cache/proxmox-k3s");
const { version } = require("esbuild/package.json");

// NODE_COMPILE_CACHE names another folder. A Node.js that is too old for the program may lack this function; index.ts reports
// that.
nodeModule.enableCompileCache?.(path.join(cache, "compiled"));

function compile(source, file) {
  const options = { sourcefile: file, loader: "ts", format: "cjs", target: "es2022", sourcemap: "inline" };
  return require("esbuild").transformSync(source, options).code;
}

/** The compiled code of a source. The key is its content, so its age does not matter. */
function compiled(source, file) {
  const kept = path.join(cache, `${createHash("sha256").update(`${version}\n${file}\n${source}`).digest("hex")}.js`);
  if (fs.existsSync(kept)) return fs.readFileSync(kept, "utf8");
  const code = compile(source, file);
  try {
    fs.mkdirSync(cache, { recursive: true });
    // Renamed into place, so that a run at the same time finds the whole file or none.
    fs.writeFileSync(`${kept}.${process.pid}`, code);
    fs.renameSync(`${kept}.${process.pid}`, kept);
  } catch {
    // The packages may belong to another user. Then each run compiles.
  }
  return code;
}

const codes = new Map();
require.extensions[".ts"] = (module, file) => {
  const code = compiled(fs.readFileSync(file, "utf8"), file);
  codes.set(file, code);
  module._compile(code, file);
};

// Selects the SDK that the program uses: addons/ has its own, and Pulumi starts a program in its folder. By default
// source-map-support would also read and parse the maps of the SDK, whose sources are not here.
const ownSdk = require.resolve("@pulumi/pulumi/package.json", { paths: [process.cwd(), __dirname] });
const sdk = nodeModule.createRequire(ownSdk);
sdk("source-map-support").install({
  overrideRetrieveSourceMap: true,
  retrieveSourceMap(file) {
    const map = codes.get(file)?.split("base64,").at(-1);
    return map ? { url: file, map: Buffer.from(map, "base64").toString() } : null;
  },
});
