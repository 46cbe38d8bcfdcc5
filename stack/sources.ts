// Where each server comes from: its URL in the environment, a program on PATH, one built earlier, a pinned wheel.

import { spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { ServerName } from "./stackFile.ts";
import type { Wheels } from "./wheels.ts";

/** `args` come before a server's own. `engine` tells programs apart whose data differ. */
export type Program = {
	source: "path" | "cache" | "wheel";
	engine: "temporal" | "vault" | "openbao" | "mongod" | "secantusd-rs" | "secantusd-py" | "redis";
	command: string;
	args: string[];
};
export type Source = { source: "environment"; url: string } | Program;
export type Engine = Program["engine"];

type Environment = NodeJS.ProcessEnv;

/** The variable that names a running server. */
export const urlVariables: Record<ServerName, string> = {
	temporal: "TEMPORAL_ADDRESS",
	vault: "VAULT_ADDR",
	mongodb: "MONGODB_URL",
	redis: "REDIS_URL",
};

export const fastStoreVersion = "0.5.3-beta.193";

/** Where stack/fast-store.ts puts the faster MongoDB stand-in: one for all clones of this user. */
export function fastStoreRoot(environment: Environment): string {
	const home = environment.HOME ?? "/";
	const cache = process.platform === "darwin" ? join(home, "Library", "Caches") : join(home, ".cache");
	return join(environment.XDG_CACHE_HOME || cache, "lethe", `secantus-mdb-${fastStoreVersion}`);
}

/**
 * Picks the first source that works. `madeBy` is the engine that wrote the data already there; only it can read them.
 * `wheels` is asked only if no other source has the program.
 * @throws one line with the mend when `madeBy` is gone
 */
export async function findSource(
	server: ServerName,
	options: { environment: Environment; madeBy: Engine | undefined; wheels: () => Promise<Wheels> },
): Promise<Source> {
	const { environment, madeBy } = options;
	const url = environment[urlVariables[server]]?.trim();
	if (url) return { source: "environment", url };
	const fits = (program: Program) => madeBy === undefined || program.engine === madeBy;
	const found = installed(server, environment).find(fits);
	if (found) return found;
	const wheel = fromWheel(server, await options.wheels());
	if (fits(wheel)) return wheel;
	throw new Error(
		`The ${server} data here were written by ${madeBy}, which is gone. Bring it back, or delete the folder to start afresh.`,
	);
}

function installed(server: ServerName, environment: Environment): Program[] {
	const onPath = (name: string, engine: Engine): Program[] => {
		const command = findOnPath(name, environment.PATH ?? "");
		return command ? [{ source: "path", engine, command, args: [] }] : [];
	};
	switch (server) {
		case "temporal":
			return onPath("temporal", "temporal");
		case "vault":
			return [...onPath("vault", "vault"), ...onPath("bao", "openbao")].flatMap(nameVault);
		case "mongodb":
			return [...onPath("mongod", "mongod"), ...fastStore(environment)];
		case "redis":
			return onPath("redis-server", "redis");
	}
}

// A program called `vault` may be either, or something else altogether.
function nameVault(program: Program): Program[] {
	const { stdout } = spawnSync(program.command, ["version"], { encoding: "utf8", timeout: 10_000 });
	if (stdout?.startsWith("OpenBao v")) return [{ ...program, engine: "openbao" }];
	return stdout?.startsWith("Vault v") ? [{ ...program, engine: "vault" }] : [];
}

function fastStore(environment: Environment): Program[] {
	const command = join(fastStoreRoot(environment), "bin", "secantusd-rs");
	return isProgram(command) ? [{ source: "cache", engine: "secantusd-rs", command, args: [] }] : [];
}

function fromWheel(server: ServerName, wheels: Wheels): Program {
	switch (server) {
		case "temporal":
			return { source: "wheel", engine: "temporal", ...wheels.temporal };
		case "vault":
			return { source: "wheel", engine: "openbao", ...wheels.bao };
		case "mongodb":
			return { source: "wheel", engine: "secantusd-py", ...wheels["secantusd-py"] };
		case "redis":
			return { source: "wheel", engine: "redis", ...wheels["redis-server"] };
	}
}

/** The program of that name that a shell would run. */
export function findOnPath(name: string, path: string): string | undefined {
	const folders = path.split(delimiter).filter(isAbsolute);
	return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
	try {
		accessSync(path, constants.X_OK);
		return statSync(path).isFile();
	} catch {
		return false;
	}
}
