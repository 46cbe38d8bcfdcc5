// Where a person's session is kept between commands: one file below the home folder, readable by its owner only.

import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

type Sessions = Record<string, { token: string; endsAt: string }>;

const file = () => join(homedir(), ".config", "lethe", "sessions.json");

/** The token of whoever is signed in at an API; undefined when nobody is, or the session has ended. */
export function readSession(url: string, now = Date.now()): string | undefined {
	const found = readAll()[keyOf(url)];
	return found && Date.parse(found.endsAt) > now ? found.token : undefined;
}

/** Keeps a session, in place of one before; undefined forgets it. */
export function writeSession(url: string, session: Sessions[string] | undefined): void {
	const { [keyOf(url)]: _, ...others } = readAll();
	const path = file();
	mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
	const written = `${path}.${process.pid}`;
	const sessions = session ? { ...others, [keyOf(url)]: session } : others;
	writeFileSync(written, `${JSON.stringify(sessions, null, 2)}\n`, { mode: 0o600 });
	renameSync(written, path);
}

function keyOf(url: string): string {
	return new URL(url).origin;
}

// What can't be read is nobody's session: signing in writes the file anew.
function readAll(): Sessions {
	try {
		return JSON.parse(readFileSync(file(), "utf8")) as Sessions;
	} catch {
		return {};
	}
}
