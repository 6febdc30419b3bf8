// The program of every EngineStack: it makes the resources that resources.json lists (see engineStack.ts).
const fs = require("node:fs");
const pulumi = require("@pulumi/pulumi");

/** A dynamic provider whose check refuses every change. At each check it writes a line to the file `journal`. */
const keep = {
  check: async (olds, news) => {
    require("node:fs").appendFileSync(news.journal, "asked\n");
    const changed = Object.keys(news).filter((key) => key in olds && olds[key] !== news[key]);
    const failures = changed.map((property) => ({ property, reason: `cannot change from ${olds[property]}` }));
    return { inputs: news, failures };
  },
  create: async (inputs) => ({ id: "kept", outs: inputs }),
};

class Kept extends pulumi.dynamic.Resource {
  constructor(name, args, options) {
    super(keep, name, args, options);
  }
}

const packages = { command: require("@pulumi/command"), random: require("@pulumi/random"), dynamic: { Kept } };

const made = {};

/** Turns the list's marked values into Pulumi's: secrets, assets, outputs of earlier resources. */
function value(of) {
  if (Array.isArray(of)) return of.map(value);
  if (typeof of !== "object" || of === null) return of;
  if ("$secret" in of) return pulumi.secret(of.$secret);
  if ("$text" in of) return new pulumi.asset.StringAsset(of.$text);
  if ("$file" in of) return new pulumi.asset.FileAsset(of.$file);
  if ("$archive" in of) return new pulumi.asset.FileArchive(of.$archive);
  if ("$output" in of) return made[of.$output[0]][of.$output[1]];
  return Object.fromEntries(Object.entries(of).map(([key, inner]) => [key, value(inner)]));
}

for (const { name, type, args, options } of JSON.parse(fs.readFileSync("resources.json", "utf8"))) {
  const Resource = type.split(".").reduce((module, key) => module[key], packages);
  made[name] = new Resource(name, value(args), options);
}
