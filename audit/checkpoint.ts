// Checkpoints (C2SP tlog-checkpoint): how many entries the log has and the root over them, as a signed note.

import { type Hash, hashBytes } from "./merkle.ts";
import { formatNote, type NoteKey, openNote } from "./note.ts";

/** `origin` names the log, and is the name of its key. */
export type Checkpoint = { origin: string; size: number; root: Hash };

/** Signs, and names the public key that did; of a Vault key the version may change at any time. */
export type SignCheckpoint = (bytes: Uint8Array) => Promise<{ signature: Uint8Array; x: string }>;

/** A checkpoint as a signed note. @throws whatever `sign` throws */
export async function signCheckpoint(checkpoint: Checkpoint, sign: SignCheckpoint): Promise<string> {
	const text = textOf(checkpoint);
	const { signature, x } = await sign(Buffer.from(text));
	return formatNote(text, { name: checkpoint.origin, x }, signature);
}

/**
 * The checkpoint in a note that one of these keys has signed; undefined for anything else.
 * @param keys public keys (`x` of their JWKs), of the log named `origin`; without it any log that these keys sign for
 */
export function openCheckpoint(note: string, keys: readonly { x: string }[], origin?: string): Checkpoint | undefined {
	const named = readCheckpoint(note);
	if (named === undefined || (origin !== undefined && named.origin !== origin)) return undefined;
	const noteKeys: NoteKey[] = keys.map(({ x }) => ({ name: named.origin, x }));
	return openNote(note, noteKeys) ? named : undefined;
}

/** What a note says that it is, signed or not; undefined when it isn't the text of a checkpoint. */
export function readCheckpoint(note: string): Checkpoint | undefined {
	const [origin = "", digits = "", base64 = "", end] = note.split("\n");
	const root = Buffer.from(base64, "base64");
	const size = /^(0|[1-9]\d{0,15})$/.test(digits) ? Number(digits) : Number.NaN;
	const isRoot = root.length === hashBytes && root.toString("base64") === base64;
	// Lethe's have no extension lines: what more a text says, nobody here has judged.
	if (origin === "" || !Number.isSafeInteger(size) || !isRoot || end !== "") return undefined;
	return { origin, size, root };
}

function textOf({ origin, size, root }: Checkpoint): string {
	return `${origin}\n${size}\n${root.toString("base64")}\n`;
}
