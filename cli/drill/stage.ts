// Where a drill plays: a deployment of its own with the simulated carrier, whose stores can be copied and put back.

import { cpSync, rmSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../config.ts";
import { createDeps, type Deps } from "../../deps.ts";
import { finalStates } from "../../domain/lifecycle.ts";
import { type Processes, startProcesses } from "../../stack/processes.ts";
import { createStack } from "../../stack/stack.ts";
import { ledgerDirOf, type ProcessName, type ServerName } from "../../stack/stackFile.ts";

export type Row = { what: string; found: string; wanted: string; ok: boolean };
export type Drilled = { title: string; passed: boolean; rows: Row[] };
export type Stage = Awaited<ReturnType<typeof openStage>>;

const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const patienceMs = 180_000;
const pollMs = 250;
const own = ["api", "sender", "worker"] as const satisfies ProcessName[];

/** Starts it in an empty folder. @throws one error that says what did not start; nothing is left running then */
export async function openStage(dir: string, say: (line: string) => void) {
	// Only what it starts itself: servers that the environment names are not to be restored or attacked.
	const stack = createStack({ root, dir, log: say, alone: true, fresh: true });
	const end = async () => {
		await stack.stop();
		// It may be that of another drill, which goes on.
		if (stack.hadFolder()) rmSync(dir, { recursive: true, force: true });
	};
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
		process.on(signal, () => void end().finally(() => process.exit(128 + constants.signals[signal])));
	let processes: Processes;
	try {
		await stack.start();
		processes = await startProcesses(stack, { log: say });
	} catch (error) {
		await end();
		throw error;
	}
	const settings = async () => ({
		...stack.addresses(),
		...(await stack.vaultCredentials(["admin", "eraser"])),
		LETHE_LEDGER_DIR: ledgerDirOf(dir),
		LETHE_LOG_LEVEL: "silent",
	});

	async function call(method: string, path: string, body?: object): Promise<{ status: number; json: Answer }> {
		const response = await fetch(`${processes.apiUrl}${path}`, {
			method,
			headers: { authorization: `Bearer ${processes.demo.apiKey}`, "content-type": "application/json" },
			...(body ? { body: JSON.stringify(body) } : {}),
			signal: AbortSignal.timeout(15_000),
		}).catch(() => undefined);
		if (!response) return { status: 0, json: {} };
		return { status: response.status, json: (await response.json().catch(() => ({}))) as Answer };
	}

	return {
		stack,
		say,
		tenantId: processes.demo.tenantId,
		call,
		/** Sends a message to a number of the simulated carrier; answers its id. */
		async send(to: string, body: string): Promise<string> {
			const message = { to, body, category: "transactional", dataClasses: ["contact"], validFor: "PT1H" };
			const { status, json } = await call("POST", "/v1/messages", message);
			if (status !== 202 || !json.id) throw new Error(`a message was not accepted: ${status} ${json.code ?? ""}`);
			return json.id;
		},
		stateOf: async (id: string) => (await call("GET", `/v1/messages/${id}`)).json.state ?? "unreadable",
		/** How many messages the carrier took, and how many more than once. */
		async ledger(): Promise<{ total: number; repeatedReferences: number }> {
			const { url, token } = processes.carrier;
			const response = await fetch(`${url}/ledger?limit=1`, { headers: { authorization: `Bearer ${token}` } });
			return (await response.json()) as { total: number; repeatedReferences: number };
		},
		stop: (name: (typeof own)[number]) => processes.kill(name),
		restart: (name: (typeof own)[number]) => processes.restart(name),
		/** Ends Lethe's own processes, the carrier excepted. */
		async stopOwn(): Promise<void> {
			for (const name of own) await processes.kill(name);
		},
		async startOwn(): Promise<void> {
			for (const name of own) await processes.restart(name);
		},
		...createCopies(stack, dir),
		/** What an administrator may use, for as long as `use` takes. */
		async asAdmin<T>(use: (deps: Deps) => Promise<T>): Promise<T> {
			const deps = await createDeps(loadConfig(await settings()), "restorer");
			try {
				return await use(deps);
			} finally {
				await deps.close();
			}
		},
		/** Variables for a command that is run from outside. */
		settings,
		async close(): Promise<void> {
			await processes.stop();
			await end();
		},
	};
}

function createCopies(stack: ReturnType<typeof createStack>, dir: string) {
	const dataDirOf = (name: ServerName) => stack.state().servers[name].dataDir as string;
	return {
		/** A copy of a server's files as a power cut leaves them; it runs on afterwards. */
		async copyOut(name: ServerName, to: string): Promise<void> {
			await stack.kill(name);
			cpSync(dataDirOf(name), join(dir, "copies", to, name), { recursive: true });
			await stack.restart(name);
		},
		/** Puts a copy in the place of a server's files. */
		async putBack(name: ServerName, from: string): Promise<void> {
			await stack.kill(name);
			rmSync(dataDirOf(name), { recursive: true });
			cpSync(join(dir, "copies", from, name), dataDirOf(name), { recursive: true });
			await stack.restart(name);
		},
	};
}

type Answer = { id?: string; state?: string; code?: string; items?: { id: string }[] };

/** Waits for a condition. @throws Error that names it when it does not come about */
export async function waitFor<T>(what: string, probe: () => Promise<T | false | undefined>): Promise<T> {
	const until = performance.now() + patienceMs;
	for (;;) {
		const found = await probe().catch(() => undefined);
		if (found) return found;
		if (performance.now() > until) throw new Error(`${what} did not come about within ${patienceMs / 1000} s.`);
		await sleep(pollMs);
	}
}

export async function waitForFinal({ stateOf }: Pick<Stage, "stateOf">, ids: readonly string[]): Promise<string[]> {
	const states: string[] = [];
	for (const id of ids) {
		states.push(
			await waitFor(`the end of ${id}`, async () => {
				const state = await stateOf(id);
				return (finalStates as string[]).includes(state) ? state : undefined;
			}),
		);
	}
	return states;
}

export function toRow(what: string, found: unknown, wanted: unknown): Row {
	const texts = { found: String(found), wanted: String(wanted) };
	return { what, ...texts, ok: texts.found === texts.wanted };
}
