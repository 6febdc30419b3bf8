#!/usr/bin/env node
// `npx proxmox-k3s` in a checkout: the sources are TypeScript, which tsx loads.
require("tsx/cjs");
require("./main.ts");
