// What every peer is to the benchmark, and the place where it runs.

import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { makePrivateFolder } from "../../stack/files.ts";
import { createPorts } from "../../stack/ports.ts";
import type { Stack } from "../../stack/stack.ts";
import { type Supervised, untilAnswered } from "../../stack/supervised.ts";

export type Peer = {
	/** What it does with a message, and what it does not: a figure means nothing without it. */
	about: string;
	/** Texts that one call hands over. */
	each: number;
	/** Where a receipt counts as delivered: at the caller's URL, or where the SMSC was told that it is taken for good. */
	receipts: "callback" | "acknowledged";
	start: () => Promise<void>;
	/** Hands texts over. @throws unless they were accepted */
	send: (texts: string[]) => Promise<void>;
	/** Waits for what goes on behind the last receipt, which would be a load on whatever is measured next; absent where nothing does. */
	settle?: () => Promise<void>;
	/** Ends its own processes as a power cut would; its stores live on. */
	kill: () => Promise<void>;
	/** Of texts that were accepted, those that it says may be at the SMSC or not; absent where nobody can ask it. */
	inDoubt?: (texts: string[]) => Promise<string[]>;
	restart: () => Promise<void>;
	stop: () => Promise<void>;
};

export type Site = ReturnType<typeof createSite>;
export type Smsc = { port: number; systemId: string; password: string };

/**
 * One peer's folder, ports and processes.
 * @param options.callbackUrl where the receipt of a text is to go
 */
export function createSite(options: {
	dir: string;
	stack: Stack;
	smsc: Smsc;
	callbackUrl: (text: string) => string;
	log: (line: string) => void;
}) {
	const dir = makePrivateFolder(options.dir);
	const ports = createPorts({});
	return {
		...options,
		port: ports.pick,
		/** A process of the peer's. `answers` throws until it is ready. */
		supervise(
			name: string,
			plan: { command: string; args: string[]; env?: NodeJS.ProcessEnv },
			answers: (child: ChildProcess) => Promise<unknown>,
		): Supervised {
			return options.stack.supervise({
				name,
				logFile: join(dir, `${name}.log`),
				plan: async () => ({
					...plan,
					env: { PATH: process.env.PATH, HOME: dir, LANG: "C.UTF-8", ...plan.env },
					cwd: dir,
				}),
				ready: (child, signal, note) => untilAnswered(() => answers(child), signal, note),
				readyMs: 60_000,
				stopMs: 5_000,
				onPid: () => undefined,
				log: options.log,
			});
		},
	};
}

/** GETs a URL. @throws unless the answer is a success that `pattern` fits */
export async function getOk(url: string, pattern = /^/): Promise<void> {
	const answer = await fetch(url, { signal: AbortSignal.timeout(30_000) });
	const body = await answer.text();
	if (!answer.ok || !pattern.test(body)) throw new Error(`answered ${answer.status} ${body.slice(0, 120)}`);
}

/** @throws unless something listens */
export function knock(port: number): Promise<void> {
	return new Promise((resolve, reject) => {
		const socket = connect(port, "127.0.0.1", () => {
			socket.destroy();
			resolve();
		});
		socket.once("error", reject);
	});
}
