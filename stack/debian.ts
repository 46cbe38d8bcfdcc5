// Programs from Debian without being root: their packages, checked by apt, unpacked into a folder of this clone.

import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { makePrivateFolder, readIfThere, writePrivateFile } from "./files.ts";
import { waitForLock } from "./lock.ts";

const run = promisify(execFile);

// The libraries that a small Debian lacks; the programs' further dependencies are for installing them as services.
const packages = {
	// The library that a program is started with; its command is another package.
	faketime: ["libfaketime"],
	kannel: ["kannel", "libct4", "libhiredis0.14", "libmariadb3", "libpcre3"],
	"rabbitmq-server": [
		...["rabbitmq-server", "erlang-base", "erlang-asn1", "erlang-crypto", "erlang-eldap", "erlang-ftp"],
		...["erlang-inets", "erlang-mnesia", "erlang-os-mon", "erlang-parsetools", "erlang-public-key"],
		...["erlang-runtime-tools", "erlang-snmp", "erlang-ssl", "erlang-syntax-tools", "erlang-tftp", "erlang-tools"],
		"erlang-xmerl",
	],
} as const;

/**
 * Unpacks a program and what it needs below `dir`, once. Answers the folder that plays the root.
 * @throws Error when this is no Debian, or a package can't be had
 */
export async function unpackDebian(program: keyof typeof packages, dir: string): Promise<string> {
	const root = join(makePrivateFolder(dir), program);
	const stamp = `${root}.unpacked`;
	const wanted = packages[program].join(" ");
	const lock = await waitForLock(`${root}.lock`, () => undefined);
	try {
		if (readIfThere(stamp) === wanted) return root;
		const incoming = makePrivateFolder(join(dir, "incoming", program));
		await run("apt-get", ["download", ...packages[program]], { cwd: incoming });
		for (const name of readdirSync(incoming)) await run("dpkg", ["-x", join(incoming, name), root]);
		if (program === "rabbitmq-server") relocateErlang(root);
		writePrivateFile(stamp, wanted);
		return root;
	} finally {
		lock.release();
	}
}

/** What the loader needs to find libraries in an unpacked root. */
export function libraryPath(root: string): string {
	const folders = ["usr/lib", "lib"].flatMap((folder) => {
		const path = join(root, folder);
		try {
			return readdirSync(path)
				.filter((name) => name.endsWith("-linux-gnu"))
				.map((name) => join(path, name));
		} catch {
			return [];
		}
	});
	return folders.join(":");
}

/** Erlang's version folder, as in `erts-13.1.5`. */
export function findErts(root: string): string {
	const lib = join(root, "usr/lib/erlang");
	const erts = readdirSync(lib).find((name) => name.startsWith("erts-"));
	if (!erts) throw new Error("Erlang was not unpacked.");
	return join(lib, erts);
}

// Its scripts name the folder that a package manager would have put them into.
function relocateErlang(root: string): void {
	for (const folder of [join(root, "usr/lib/erlang/bin"), join(findErts(root), "bin")]) {
		const script = join(folder, "erl");
		const text = readFileSync(script, "utf8");
		writeFileSync(script, text.replaceAll("=/usr/lib/erlang", `=${join(root, "usr/lib/erlang")}`));
	}
}
