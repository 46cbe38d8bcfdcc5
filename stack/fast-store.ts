// `npm run stack:fast-store`: builds the faster MongoDB stand-in once into the user's cache, where every clone finds it.

import { spawn } from "node:child_process";
import { fastStoreRoot, fastStoreVersion as version } from "./sources.ts";

const folder = fastStoreRoot(process.env);
const args = ["install", "secantus-mdb", "--version", version, "--ignore-rust-version", "--locked", "--root", folder];

console.log(`building secantusd-rs ${version} into ${folder}: four to six minutes`);
const child = spawn("cargo", args, { stdio: "inherit" });
child.on("error", () => {
	console.error("cargo is missing. Install a Rust toolchain, or go on with the slower stand-in.");
	process.exitCode = 1;
});
child.on("exit", (code) => {
	process.exitCode = code ?? 1;
});
