// libdray from Node: node dray.mjs dray.yaml < prompt-or-request
// DRAY_NODE is the addon that dray_node.c makes; dray_node.node beside this file otherwise.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const dray = require(process.env.DRAY_NODE ?? "./dray_node.node");

const router = dray.open(readFileSync(process.argv[2]));
console.log(JSON.stringify(JSON.parse(dray.route(router, readFileSync(0)))));
