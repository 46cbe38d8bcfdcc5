// Where each server comes from: the environment first, then PATH, then what was built earlier, then the pinned wheels.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, test } from "node:test";
import { fastStoreRoot, findSource, urlVariables } from "../../stack/sources.ts";
import type { ServerName } from "../../stack/stackFile.ts";

const folder = mkdtempSync(join(tmpdir(), "lethe-sources-"));
after(() => rmSync(folder, { recursive: true }));

const wheels = {
	temporal: { command: "/wheel/temporal", args: [] },
	bao: { command: "/wheel/bao", args: [] },
	"redis-server": { command: "/wheel/redis-server", args: [] },
	"secantusd-py": { command: "/wheel/python", args: ["-I"] },
};
const servers: ServerName[] = ["temporal", "vault", "mongodb", "redis"];

let asked = 0;
const find = (server: ServerName, environment: Record<string, string>, madeBy?: "openbao" | "mongod" | "redis") =>
	findSource(server, {
		environment: { HOME: join(folder, "home"), ...environment },
		madeBy,
		wheels: async () => {
			asked++;
			return wheels;
		},
	});

/** A program that says `text` when it is asked for its version. */
function program(path: string, text = "", mode = 0o755): string {
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, `#!/bin/sh\necho "${text}"\n`, { mode });
	return path;
}

test("a URL in the environment is used as it is, whatever else there is", async () => {
	const bin = join(folder, "all");
	for (const name of ["temporal", "bao", "mongod", "redis-server"]) program(join(bin, name), "OpenBao v2");
	for (const server of servers) {
		const found = await find(server, { [urlVariables[server]]: "some://where", PATH: bin });
		assert.deepEqual(found, { source: "environment", url: "some://where" });
	}
	assert.equal(asked, 0);
});

test("a program on PATH comes before wheels; what is no program, or on a relative path, does not count", async () => {
	const bin = join(folder, "bin");
	const expected = {
		temporal: program(join(bin, "temporal")),
		vault: program(join(bin, "bao"), "OpenBao v2.7.2"),
		mongodb: program(join(bin, "mongod")),
		redis: program(join(bin, "redis-server")),
	};
	assert.equal((await find("redis", { REDIS_URL: " ", PATH: bin })).source, "path", "a blank URL is none");
	const sham = join(folder, "sham");
	program(join(sham, "redis-server"), "", 0o644);
	mkdirSync(join(sham, "mongod"), { recursive: true });
	const PATH = [".", "", sham, bin].join(delimiter);
	for (const server of servers) {
		const found = await find(server, { PATH });
		assert.ok(found.source === "path");
		assert.equal(found.command, expected[server]);
	}
	assert.equal(asked, 0);
	for (const server of ["redis", "mongodb"] as const)
		assert.equal((await find(server, { PATH: sham })).source, "wheel");
});

test("a program called vault counts as what it says it is", async () => {
	for (const [text, engine] of [
		["Vault v1.21.0", "vault"],
		["OpenBao v2.7.2", "openbao"],
		["vault 3: a game", undefined],
	] as const) {
		const bin = join(folder, `vault-${engine}`);
		program(join(bin, "vault"), text);
		const found = await find("vault", { PATH: bin });
		assert.equal(found.source, engine ? "path" : "wheel");
		assert.equal("engine" in found && found.engine, engine ?? "openbao");
	}
});

test("the MongoDB stand-in that was built earlier comes after mongod on PATH and before the wheel", async () => {
	const environment = { XDG_CACHE_HOME: join(folder, "cache"), PATH: "" };
	assert.equal((await find("mongodb", environment)).source, "wheel");
	const built = program(join(fastStoreRoot(environment), "bin", "secantusd-rs"));
	const found = await find("mongodb", environment);
	assert.deepEqual(found, { source: "cache", engine: "secantusd-rs", command: built, args: [] });
	const bin = join(folder, "mongo");
	program(join(bin, "mongod"));
	assert.equal((await find("mongodb", { ...environment, PATH: bin })).source, "path");
});

test("with nothing else the pinned wheels are asked for", async () => {
	asked = 0;
	const found = await Promise.all(servers.map((server) => find(server, { PATH: "" })));
	assert.deepEqual(
		found.map((each) => [each.source, "command" in each && each.command]),
		["temporal", "bao", "python", "redis-server"].map((name) => ["wheel", `/wheel/${name}`]),
	);
	assert.equal(asked, servers.length);
});

test("data are read only by the engine that wrote them; when that is gone, one line says so", async () => {
	const bin = join(folder, "engines");
	program(join(bin, "vault"), "Vault v1.21.0");
	const found = await find("vault", { PATH: bin }, "openbao");
	assert.deepEqual(["engine" in found && found.engine, found.source], ["openbao", "wheel"]);
	await assert.rejects(
		find("mongodb", { PATH: "" }, "mongod"),
		/^Error: The mongodb data .* mongod, which is gone\. Bring/,
	);
});
