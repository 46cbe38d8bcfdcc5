// What the repository carries: no place or host of one machine, no unpinned dependency, no loose end.

import assert from "node:assert/strict";
import { homedir, hostname } from "node:os";
import { test } from "node:test";
import { readTreeFile, root, treePaths } from "./tree.ts";

// The patterns are in pieces, so that this file does not break its own rule.
const machinePaths = new RegExp(
	`(?<![\\w.])/(?:${["root", "Users", "work", "tmp/probe", "private/var", "mnt"].join("|")})/`,
);
const homePaths = /(?<![\w.])\/home\/(?!node\b)\w/;
const registryHosts = new RegExp(
	["npmjs\\.(?:org|com)", "pypi\\.org", "pythonhosted\\.org", "yarnpkg\\.com"].join("|"),
);
// Code is judged by its comments, in rules.ts.
const looseEnds = /\b(TO-?DO|FIX-?ME)\b/;

/** This machine's own names, where they are long enough to mean it. */
const ownNames = [root, homedir(), hostname(), registryHost()].filter((name) => name.length > 8);

const texts = treePaths.map((path) => [path, readTreeFile(path)] as const);
const pathsWith = (test: (text: string) => boolean) => texts.filter(([, text]) => test(text)).map(([path]) => path);

test("no file names a place on one machine", () => {
	assert.deepEqual(
		pathsWith((text) => machinePaths.test(text) || homePaths.test(text)),
		[],
	);
	assert.deepEqual(
		pathsWith((text) => ownNames.some((name) => text.includes(name))),
		[],
	);
	for (const text of ["root/x", "home/ann", "work/main", "Users/x"].map((path) => `see "/${path}"`)) {
		assert.ok(machinePaths.test(text) || homePaths.test(text), text);
	}
	for (const text of [
		["src", "work", "x"],
		["", "home", "node", "app"],
		["~", "x"],
		[".", "root", "x"],
	].map((parts) => parts.join("/"))) {
		assert.ok(!machinePaths.test(text) && !homePaths.test(text), text);
	}
});

test("no file names a package registry, the lock file included", () => {
	assert.deepEqual(
		pathsWith((text) => registryHosts.test(text)),
		[],
	);
	const lock = JSON.parse(readTreeFile("package-lock.json"));
	const resolved = Object.entries<{ resolved?: string }>(lock.packages).filter(([, entry]) => entry.resolved);
	assert.deepEqual(resolved, []);
});

test("nothing is left to do in any file", () => {
	assert.deepEqual(
		pathsWith((text) => looseEnds.test(text)).filter((path) => !/\.(ts|mjs)$/.test(path)),
		[],
	);
});

test("every dependency is pinned, and the lock file pins the same ones", () => {
	const { dependencies, devDependencies } = JSON.parse(readTreeFile("package.json"));
	for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
		assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
	}
	const locked = JSON.parse(readTreeFile("package-lock.json")).packages[""];
	assert.deepEqual([locked.dependencies, locked.devDependencies], [dependencies, devDependencies]);
});

test("no secret and no data folder is kept", () => {
	assert.deepEqual(
		treePaths.filter((path) => /(^|\/)\.lethe\/|\.(pem|key|p12|env)$|(^|\/)\.env/.test(path)),
		[],
	);
	assert.deepEqual(
		pathsWith((text) => /-----BEGIN [A-Z ]*PRIVATE KEY-----\n/.test(text)),
		[],
	);
});

function registryHost(): string {
	const url = process.env.npm_config_registry;
	return url && URL.canParse(url) ? new URL(url).host : "";
}
