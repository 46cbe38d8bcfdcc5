// Java archives by pinned version and digest, fetched once by Maven, for SMSCs that others have written.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
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
		const missing = Object.keys(archives).filter((coordinates) => !existsSync(fileOf(coordinates)));
		if (missing.length > 0) await fetchAll(missing);
		for (const [coordinates, digest] of Object.entries(archives)) verifyJar(coordinates, digest);
	} finally {
		lock.release();
	}
	return Object.keys(archives).map(fileOf).join(delimiter);
}

/** In one run of Maven, whose own start takes longer than a small archive. */
async function fetchAll(missing: string[]): Promise<void> {
	const incoming = makePrivateFolder(join(folder, "incoming"));
	writeFileSync(join(folder, "pom.xml"), pomOf(missing), { mode: 0o600 });
	const mvn = spawn("mvn", ["-q", "-B", `${plugin}:copy`, `-DoutputDirectory=${incoming}`], {
		cwd: folder,
		stdio: ["ignore", "pipe", "ignore"],
		timeout: 300_000,
	});
	const [said, [code]] = await Promise.all([text(mvn.stdout), once(mvn, "close")]);
	if (code !== 0) throw new Error(`${missing.join(", ")} could not be fetched:\n${said.slice(-2000)}`);
	for (const file of missing.map(fileOf)) renameSync(join(incoming, basename(file)), file);
}

function pomOf(archives: string[]): string {
	const element = (name: string, content: string) => `<${name}>${content}</${name}>`;
	const named = (coordinates: string) => {
		const [group = "", artifact = "", version = ""] = coordinates.split(":");
		return element("groupId", group) + element("artifactId", artifact) + element("version", version);
	};
	const items = archives.map((coordinates) => element("artifactItem", named(coordinates)));
	const configuration = element("configuration", element("artifactItems", items.join("")));
	const copying = `${named(plugin)}${configuration}`;
	const build = element("build", element("plugins", element("plugin", copying)));
	return element("project", `<modelVersion>4.0.0</modelVersion>${named("local:archives:1")}${build}`);
}

function verifyJar(coordinates: string, digest: string): void {
	const file = fileOf(coordinates);
	const found = createHash("sha256").update(readFileSync(file)).digest("hex");
	if (found === digest) return;
	rmSync(file);
	throw new Error(`${coordinates} is not the archive that was pinned: its SHA-256 is ${found}.`);
}
