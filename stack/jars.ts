// Java archives by pinned version and digest, fetched once by Maven, for SMSCs that others have written.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { makePrivateFolder } from "./files.ts";
import { waitForLock } from "./lock.ts";

/** Maven coordinates → SHA-256 of the archive. */
export type Archives = Record<string, string>;

/** What an SMSC on jSMPP's sessions needs. */
export const jsmppArchives: Archives = {
	"org.jsmpp:jsmpp:2.3.11": "bdb5835649d23438a6c9bda78829fee5d19e56ed2ad9308f96fc8aaf9793c141",
	"org.slf4j:slf4j-api:1.7.36": "d3ef575e3e4979678dc01bf1dcce51021493b4d11fb7f1be8ad982877c16a1c0",
	"org.slf4j:slf4j-simple:1.7.36": "2f39bed943d624dfa8f4102d0571283a10870b6aa36f197a8a506f147010c10f",
};

const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";
const folder = fileURLToPath(new URL("../.lethe/jsmpp", import.meta.url));
const fileOf = (coordinates: string) => join(folder, `${coordinates.split(":").slice(1).join("-")}.jar`);

/** Why programs of these archives can't run here; false when they can. */
export function whyNoJars(archives: Archives): string | false {
	const lacks = (program: string, flag: string) => spawnSync(program, [flag], { timeout: 30_000 }).status !== 0;
	if (lacks("java", "-version")) return "java is absent: jSMPP's simulator can't run";
	const isFetched = Object.keys(archives).every((name) => existsSync(fileOf(name)));
	return !isFetched && lacks("mvn", "-version") ? "mvn is absent: jSMPP's simulator can't be fetched" : false;
}

/** Fetches what is not there yet; answers the class path. @throws Error when one can't be fetched or is not what was pinned */
export async function fetchJars(archives: Archives): Promise<string> {
	makePrivateFolder(folder);
	const lock = await waitForLock(join(folder, "lock"), () => undefined);
	try {
		for (const [coordinates, digest] of Object.entries(archives)) fetchJar(coordinates, digest);
	} finally {
		lock.release();
	}
	return Object.keys(archives).map(fileOf).join(delimiter);
}

function fetchJar(coordinates: string, digest: string): void {
	const file = fileOf(coordinates);
	if (!existsSync(file)) {
		const incoming = makePrivateFolder(join(folder, "incoming"));
		const what = [`-Dartifact=${coordinates}`, `-DoutputDirectory=${incoming}`];
		const { status, stdout } = spawnSync("mvn", ["-q", "-B", `${plugin}:copy`, ...what], {
			cwd: folder,
			encoding: "utf8",
			timeout: 180_000,
		});
		if (status !== 0) throw new Error(`${coordinates} could not be fetched:\n${stdout?.slice(-2000)}`);
		renameSync(join(incoming, file.slice(folder.length + 1)), file);
	}
	const found = createHash("sha256").update(readFileSync(file)).digest("hex");
	if (found === digest) return;
	rmSync(file);
	throw new Error(`${coordinates} is not the archive that was pinned: its SHA-256 is ${found}.`);
}
