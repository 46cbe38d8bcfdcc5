// `lethe open`: decrypts an end-to-end encrypted text as the app on the recipient's phone does, without any server.

import { appendFile, readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Command } from "commander";
import { joinParts, open, type PrivateKey, type PublicKey, TextRefused } from "../client/e2ee.ts";
import { addExample } from "./examples.ts";
import { printable } from "./printable.ts";
import { exitCodes, Refusal, readText, run } from "./run.ts";

type Options = { key: string; senderKey?: string[]; seen?: string; json?: boolean };

/** Exit 0: opened; 1: it does not open, for the reason that is told; 2: no text of this kind or no key. */
export function openCommand(): Command {
	return addExample(new Command("open"), "lethe open --key key.json --sender-key senders.json < text.txt")
		.description("decrypt an end-to-end encrypted text from standard input; of a long one all parts, in any order")
		.requiredOption("--key <file>", "your private key, as `lethe keygen` makes it; or a JWK set of several")
		.option("--sender-key <file...>", "public keys of whoever may write, a JWK or a JWK set; a lethe2 text needs one")
		.option("--seen <file>", "refuse texts whose id is in this file, and add the id of this one")
		.option("--json", "print the text, its id, and who wrote it as JSON")
		.action((options: Options) => run("open", () => openText(options)));
}

async function openText({ key, senderKey = [], seen, json }: Options): Promise<number> {
	const senderKeys = (await Promise.all(senderKey.map(readKeys))).flat() as PublicKey[];
	const keys = (await readKeys(key)) as PrivateKey[];
	// A set may hold other kinds, too; where it holds none of this kind, what is wrong with those is told.
	const own = keys.filter((one) => one?.kty === "OKP" && one.crv === "X25519" && one.d);
	const sealed = joined(await readAll(process.stdin));
	const opened = await open(sealed, {
		...{ key: own.length > 0 ? own : keys, senderKeys },
		seen: seen === undefined ? null : { add: (id) => remember(seen, id) },
	}).catch((error) => refuse(error, sealed));
	console.log(json ? JSON.stringify(opened) : printable(opened.text));
	return exitCodes.yes;
}

/** @throws Refusal for nothing, for several texts, and for one that lacks parts */
function joined(input: string): string {
	// Phones and mails break lines within a text, too.
	const { whole, lacking } = joinParts(input.trim().split(/\s+(?=lethe[0-9]{1,4}\.)/));
	const [text, another] = whole;
	const [lack] = lacking;
	if (lack) {
		const { messageId, missing, of } = lack;
		const mend = "Give them on standard input, too.";
		throw new Refusal(
			`of ${messageId} part ${missing.join(", ")} of ${of} is not there, or is there twice and differs. ${mend}`,
			exitCodes.no,
		);
	}
	if (!text) throw new Refusal("there is no text on standard input: `lethe open --key FILE < text`.");
	if (another !== undefined) throw new Refusal("there is more than one text on standard input: give one.");
	return text;
}

/** @throws Refusal */
async function readKeys(file: string): Promise<unknown[]> {
	try {
		const parsed = JSON.parse(await readText(file)) as { keys?: unknown[] } | null;
		return Array.isArray(parsed?.keys) ? parsed.keys : [parsed];
	} catch (error) {
		if (error instanceof Refusal) throw error;
		throw new Refusal(`${file} is no key: give a JWK, as \`lethe keygen\` makes it.`);
	}
}

/** False when it was there. @throws Refusal */
async function remember(file: string, id: string): Promise<boolean> {
	try {
		const known = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
			if (error.code === "ENOENT") return "";
			throw error;
		});
		if (known.split("\n").includes(id)) return false;
		await appendFile(file, `${id}\n`, { mode: 0o600 });
		return true;
	} catch {
		throw new Refusal(`${file} can't be read or written: give another --seen.`);
	}
}

const told: Record<TextRefused["reason"], { why: string; exitCode: number }> = {
	malformed: {
		why: "this is no end-to-end encrypted text, or not all of it. Give it from `lethe` to its last letter.",
		exitCode: exitCodes.misuse,
	},
	version_unknown: { why: "this version of the text is not known here. Update Lethe.", exitCode: exitCodes.misuse },
	sender_missing: {
		why: "this text says who wrote it. Name the sender's public key with --sender-key.",
		exitCode: exitCodes.misuse,
	},
	undecryptable: {
		why: "it does not open: it is for another key, or was changed on its way. Give the key that was registered when it was sent.",
		exitCode: exitCodes.no,
	},
	expired: { why: "it has expired. Ask the sender for another.", exitCode: exitCodes.no },
	replayed: { why: "a text of this id was opened before. Believe the first one only.", exitCode: exitCodes.no },
};

// Of a text that says who wrote it a wrong sender's key looks like any other fault: the mend is of all of them.
const unopened =
	"it does not open: it is for another key, was changed on its way, or the holder of no --sender-key wrote it. Give the key that was registered when it was sent, and the tenant's as `lethe recipient-keys senders` prints them.";

function refuse(error: unknown, sealed: string): never {
	if (error instanceof TextRefused) {
		// What begins as a text of ours is one, and was damaged on its way: no mistake of whoever opens it.
		const isOurs = /^lethe[12]\./.test(sealed);
		const exitCode = error.reason === "malformed" && isOurs ? exitCodes.no : told[error.reason].exitCode;
		const bearsSender = !sealed.startsWith("lethe1.");
		const why = error.reason === "undecryptable" && bearsSender ? unopened : told[error.reason].why;
		throw new Refusal(error.version === undefined ? why : `${error.version}: ${why}`, exitCode);
	}
	if (error instanceof TypeError) {
		const mend = "`lethe keygen` makes yours, `lethe recipient-keys senders` prints the tenant's.";
		throw new Refusal(`a key that was given is ${error.message}. ${mend}`);
	}
	throw error;
}
