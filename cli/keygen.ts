// `lethe keygen`: makes the key pair that end-to-end encrypted texts are for.

import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { generateKey, publicKeyOf } from "../client/e2ee.ts";
import { addExample } from "./examples.ts";
import { exitCodes, Refusal, run } from "./run.ts";

/** Exit 0: made; 2: the file is there, or can't be written. */
export function keygenCommand(): Command {
	return addExample(new Command("keygen"), "lethe keygen --out key.json")
		.description("make a key pair for end-to-end encrypted texts, as a JWK (X25519)")
		.option(
			"--out <file>",
			"write it there, for you alone to read, and print its public half (default: standard output)",
		)
		.option("--json", "it always is JSON")
		.action(({ out }: { out?: string }) =>
			run("keygen", async () => {
				const key = await generateKey();
				if (out !== undefined) await keep(out, `${JSON.stringify(key)}\n`);
				console.log(JSON.stringify(out === undefined ? key : publicKeyOf(key)));
				return exitCodes.yes;
			}),
		);
}

async function keep(file: string, text: string): Promise<void> {
	await writeFile(file, text, { mode: 0o600, flag: "wx", flush: true }).catch((error: NodeJS.ErrnoException) => {
		if (error.code === "EEXIST")
			throw new Refusal(`${file} is there already, and is left as it is: give another --out.`);
		throw new Refusal(`${file} can't be written: check its folder and your rights.`);
	});
}
