// `lethe doctor`: checks configuration, servers, clocks, keys and policies, and names the mend of what is wrong.

import { Command } from "commander";
import { Agent, request } from "undici";
import { type Alert, findAlerts } from "../audit/alerts.ts";
import { findUnattended } from "../audit/findUnattended.ts";
import { findEndableKeys } from "../audit/keyNeeds.ts";
import { findLastCanary } from "../audit/lastCanary.ts";
import { loadConfig } from "../config.ts";
import type { Deps } from "../deps.ts";
import { LetheError } from "../domain/errors.ts";
import { isSound } from "../domain/evidence.ts";
import { openPolicies, type PackVersion } from "../policies/index.ts";
import { addExample } from "./examples.ts";
import { explain } from "./explain.ts";
import { adminDeps } from "./target.ts";

/** `severity`: of an alert, as the API tells it. */
type Finding = { check: string; ok: boolean; severity?: Alert["severity"]; detail: string; mend?: string };

const clockDifferenceMsMax = 5_000;
const apiAnswerMsMax = 5_000;

export function doctorCommand(): Command {
	return addExample(new Command("doctor"), "lethe doctor --json")
		.description(
			"Check configuration, servers, processes, clocks, keys and policies; exit 1 when something needs mending.",
		)
		.option("--json", "print the findings as JSON")
		.action(async (options: { json?: boolean }) => {
			const findings = await examine();
			if (options.json) process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
			else for (const finding of findings) process.stdout.write(`${describe(finding)}\n`);
			if (findings.some((finding) => !finding.ok)) process.exitCode = 1;
		});
}

const serverMends: Record<string, string> = {
	mongodb: "Start MongoDB, or correct MONGODB_URL.",
	vault: "Start and unseal Vault, or correct VAULT_ADDR.",
	redis:
		"Start Redis, or correct REDIS_URL; one that answers and takes no writes lacks room, or is a replica. Messages wait in MongoDB meanwhile.",
	quarantine: "Run `lethe restore`; where it was not compared yet, mend what it names: Vault, or LETHE_LEDGER_DIR.",
	temporal: "Start Temporal, or correct TEMPORAL_ADDRESS; messages wait in MongoDB meanwhile.",
};

/** Every finding, in the order in which to mend them. */
export async function examine(): Promise<Finding[]> {
	const findings: Finding[] = [];
	findings.push(
		await look("configuration", "Correct the setting it names; docs/settings.md lists all.", async () => {
			loadConfig();
			return "every setting is known and valid";
		}),
	);
	findings.push(
		await look("shipped policies", "Restore the packs of this release.", async () => {
			const versions = openPolicies().versions();
			return `${new Set(versions.map(({ id }) => id)).size} packs in ${versions.length} versions`;
		}),
	);
	// Nothing can be opened by settings that can't be read.
	if (findings.some(({ check, ok }) => check === "configuration" && !ok)) return findings;
	let deps: Deps;
	try {
		deps = await adminDeps();
	} catch (error) {
		return [...findings, await describeNotOpened(error)];
	}
	try {
		const { policies, ...servers } = deps.checks;
		for (const [name, check] of Object.entries(servers)) {
			findings.push(
				await look(name, serverMends[name] ?? "Start it.", async () => {
					await check();
					return name === "quarantine" ? "none" : "answers";
				}),
			);
		}
		findings.push(
			await look("indexes", "Run `lethe admin prepare`.", async () => {
				const missing = await deps.store.missing();
				if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
				return "every collection has its indexes";
			}),
		);
		findings.push(
			await look(
				"published policies",
				"Restore them from a backup; nothing is accepted or sent meanwhile.",
				async () => {
					await deps.policies.refresh();
					await policies();
					return describePublished(deps.policies.versions());
				},
			),
		);
		findings.push(await look("clock", "Synchronise this machine's clock (NTP).", () => compareClocks(deps)));
		findings.push(
			await look("keys", "Provision Vault again: the signing key is missing.", async () => {
				const { keys } = await deps.signer.publicJwks();
				if (keys.length === 0) throw new Error("no signing key");
				return `${keys.length} signing key(s)`;
			}),
		);
		findings.push(await lookAtLedger(deps), await lookAtOldVersions(deps));
		findings.push(await lookAtEvidence(deps), await lookAtCanary(deps));
		findings.push(...(await examineAlerts(deps)));
		findings.push(
			await look("send queues", "Create one with `lethe admin queue`.", async () => {
				const queues = await deps.store.sendQueues.all();
				if (queues.length === 0) throw new Error("there is no send queue");
				return queues.map((queue) => `${queue._id} (${queue.carrier}${queue.paused ? ", paused" : ""})`).join(", ");
			}),
		);
		findings.push(...(await lookAtCredentials(deps)));
		findings.push(...(await lookAtProcesses(deps)), ...(await lookAtApi(deps)));
	} finally {
		await deps.close();
	}
	return findings;
}

/** Whether the API answers, works, is of this version, and is reached as it should be. */
async function lookAtApi({ config, version }: Deps): Promise<Finding[]> {
	const url = config.api.url ?? config.api.publicUrl;
	const dispatcher = new Agent({ connect: { ...config.api.callerTls, timeout: apiAnswerMsMax } });
	const read = async (path: string) => {
		const { body } = await request(`${url}${path}`, { dispatcher, signal: AbortSignal.timeout(apiAnswerMsMax) });
		return (await body.json()) as { version?: string; ready?: boolean; checks?: Record<string, string> };
	};
	const mend =
		"Start the API, read its log, or correct LETHE_API_URL, and LETHE_API_TLS_CERTIFICATE_FILE where it asks for a certificate; nothing is accepted meanwhile.";
	const answers = await look("API", mend, async () => {
		const running = (await read("/healthz")).version;
		if (running !== version)
			throw new Error(`${url} is of version ${running ?? "unknown"}, this command of ${version}`);
		const { ready, checks = {} } = await read("/readyz");
		const down = Object.keys(checks).filter((name) => checks[name] !== "up");
		// Which of the two it is only its log says.
		if (checks.quarantine === "down")
			throw new Error(
				`${url} is quarantined: run \`lethe restore\`; where its log says that the store can't be compared, mend what it names`,
			);
		if (!ready) throw new Error(`${url} accepts nothing: it does not reach ${down.join(", ")}`);
		return `${url} answers, version ${running}${down.length > 0 ? `; it does not reach ${down.join(", ")}` : ""}`;
	});
	await dispatcher.destroy();
	if (config.environment !== "production") return [answers];
	const secure = await look("TLS", "Give the API a certificate and an https:// LETHE_PUBLIC_URL.", async () => {
		if (!config.api.publicUrl.startsWith("https:")) throw new Error("LETHE_PUBLIC_URL is not https");
		if (config.api.plainAnywhere) return "callers use https; LETHE_PLAIN_HTTP=anywhere leaves TLS to a proxy";
		return "callers use https; plain HTTP is heard on loopback only";
	});
	return [answers, secure];
}

/** What keeps this command from asking anything else: Vault, where that does not answer it, else what the failure names. */
async function describeNotOpened(error: unknown): Promise<Finding> {
	if (error instanceof LetheError && error.code === "keys_unavailable") {
		const { tellFailure } = await import("../deps.ts");
		return { check: "vault", ok: false, detail: tellFailure(error), mend: serverMends.vault as string };
	}
	const mend = "Start it with `npm start`, or start its servers and set their URLs.";
	return { check: "deployment", ok: false, detail: explain(error), mend };
}

// A place that can't be written to keeps nothing; one that is new, or was restored from a copy, lacks what it is there for.
async function lookAtLedger({ ledger }: Deps): Promise<Finding> {
	const mend =
		"Have the worker write to that place, the folder of LETHE_LEDGER_DIR or Vault, and give this command the same one; the worker's log says what stops it.";
	const reached = await look("ledger", mend, async () => {
		const names = await ledger.unreached();
		if (names.length > 0) throw new Error(`${names.join(", ")} is not what the worker writes to, or it can't`);
		return "";
	});
	if (!reached.ok) return reached;
	return look("ledger", "Run `lethe restore`: it puts into each place what another has.", async () => {
		const places = await ledger.lacking();
		const lacking = places.filter(({ count }) => count > 0).map(({ name, count }) => `${name} lacks ${count} entries`);
		if (lacking.length > 0) throw new Error(lacking.join(", "));
		return places.length === 1 ? "in Vault only" : "its places have the same entries";
	});
}

// Of every key, each tenant's too: what is past its cryptoperiod and serves nobody any more is only there to be stolen.
function lookAtOldVersions(deps: Deps): Promise<Finding> {
	return look("old key versions", "End them with `lethe keys retire`.", async () => {
		const names = await deps.keyVersions.names();
		const found = await findEndableKeys(deps, deps.limits.keyPeriods, names);
		if (found.length > 0) throw new Error(`nothing needs those of ${found.map(({ name }) => name).join(", ")}`);
		return "none past its cryptoperiod that nothing needs";
	});
}

// A log that is shorter than its witnesses saw, or another, was put back or cut.
function lookAtEvidence(deps: Deps): Promise<Finding> {
	const mend =
		"Run `lethe evidence fsck`; where a restore has lost entries, then `lethe evidence succeed --reason restore` (docs/evidence.md).";
	return look("evidence log", mend, async () => {
		const { standing, size, witnessed } = await deps.checkpoints.standing();
		if (!isSound(standing)) throw new Error(`${standing}: ${size} entries, witnessed ${witnessed ?? "none"}`);
		return `${size} entries, ${witnessed ?? 0} of them witnessed`;
	});
}

// Where one is to run now and again, none for two such times is as bad as one that found something.
function lookAtCanary({ store, clock, canaryId, config }: Deps): Promise<Finding> {
	const mend = "Run `lethe canary`, and mend what it says.";
	return look("canary", mend, async () => {
		const last = await findLastCanary(store.evidence, canaryId);
		const { canaryEveryMs: everyMs } = config;
		if (last === undefined) return "none has run yet; `lethe canary` does, on a deployment for trials";
		const ageMs = clock() - last.at;
		const told = `the last one, ${Math.round(ageMs / 3600_000)} h ago, was ${last.result}`;
		if (last.result !== "clean" || (everyMs > 0 && ageMs > 2 * everyMs)) throw new Error(told);
		return told;
	});
}

// Whoever administers sees what they are called, and never what they are.
async function lookAtCredentials({ store, secrets, carriers }: Deps): Promise<Finding[]> {
	const check = "carrier credentials";
	const lacking: Finding[] = [];
	const found = await look(check, "Start and unseal Vault, or provision it again.", async () => {
		const queues = await store.sendQueues.all();
		for (const { _id, carrier, settings, sender } of queues) {
			const unset = carriers.missingSettings(carrier, { settings, sender });
			if (unset.length > 0) {
				const again = `Make it again with \`lethe admin queue\` and --setting; docs/carriers/${carrier}.md lists them.`;
				lacking.push({ check, ok: false, detail: `${_id} lacks the setting ${unset.join(", ")}`, mend: again });
			}
			const lacks: string[] = [];
			for (const [half, of] of Object.entries(halves) as [keyof typeof halves, string][]) {
				const missing = carriers.missing(carrier, half, await secrets.names(_id, half));
				if (missing.length > 0) lacks.push(`${missing.join(", ")} ${of}`);
			}
			const mend = `Run \`lethe admin secrets ${_id}\` with them on standard input; docs/carriers/${carrier}.md lists them.`;
			if (lacks.length > 0) lacking.push({ check, ok: false, detail: `${_id} lacks ${lacks.join("; and ")}`, mend });
		}
		return `each of ${queues.length} send queue(s) has what its carrier needs; what they are is not seen`;
	});
	return found.ok && lacking.length > 0 ? lacking : [...lacking, found];
}

const halves = { send: "to send with (send)", callback: "to check callbacks with (callback)" } as const;

/** Whether what drives messages runs: the servers may all be up, and nobody at work. */
async function lookAtProcesses({ runs, sendQueues, store }: Deps): Promise<Finding[]> {
	const worker = await look("worker", "Start the worker, and read its log; messages wait meanwhile.", async () => {
		const seen = await runs.workersSeen();
		if (seen.length === 0) throw new Error("none asks Temporal for work");
		// Each asks once a minute at least: who died since then is no other yet.
		const ages = seen.map((ms) => Math.max(0, Math.round(ms / 1000)));
		return `${seen.length} at work, seen ${ages.join(", ")} s ago`;
	});
	const sender = await look("sender", "Start a sender, and read its log; messages wait meanwhile.", async () => {
		const idle = await findUnattended({ store, sendQueues });
		if (idle.length > 0) throw new Error(`none works ${idle.join(", ")}`);
		return "every send queue that is not paused is worked";
	});
	return [worker, sender];
}

/** What has a line of its own here. */
const toldOtherwise: readonly Alert["code"][] = [
	"evidence_not_as_witnessed",
	"key_version_unneeded",
	"worker_absent",
	"sender_absent",
];

/** What `GET /v1/alerts` tells too, of every tenant; the servers and the log were looked at above. */
async function examineAlerts(deps: Deps): Promise<Finding[]> {
	const found = await findAlerts({ ...deps, checks: {} });
	const alerts = found.filter(({ code }) => !toldOtherwise.includes(code));
	if (alerts.length === 0) return [{ check: "alerts", ok: true, detail: "nothing is late, overdue or stopped" }];
	return alerts.map(({ code, severity, about, reason, since, mend }) => {
		const sinceWhen = since === undefined ? "" : ` since ${new Date(since).toISOString()}`;
		return {
			check: code,
			severity,
			ok: severity === "info",
			detail: `${about ?? severity}${reason ? ` (${reason})` : ""}${sinceWhen}`,
			mend,
		};
	});
}

// An approval that nobody signed in to give is said here too.
function describePublished(versions: PackVersion[]): string {
	const published = versions.filter(({ origin }) => origin === "published");
	if (published.length === 0) return "none";
	const name = ({ id, version, approval }: (typeof published)[number]) =>
		`${id} ${version}${approval?.verified ? "" : " (approval UNVERIFIED)"}`;
	return `${published.map(name).join(", ")}: as they were published`;
}

async function look(check: string, mend: string, run: () => Promise<string>): Promise<Finding> {
	try {
		return { check, ok: true, detail: await run() };
	} catch (error) {
		return { check, ok: false, detail: describeFailure(error), mend };
	}
}

// A driver's text may quote what it was given; its number says nothing to who reads it, and its word for that does.
function describeFailure(error: unknown): string {
	const { code, codeName, message = "", cause } = error as Failure;
	if (typeof code === "number") return codeName ?? /^\d+ ([A-Z_]+):/.exec(message)?.[1] ?? `code ${code}`;
	return code && typeof cause === "string" ? `${code}: ${cause}` : code || message || "failed";
}

/** `codeName`: MongoDB's word; gRPC's begins its message. */
type Failure = { code?: string | number; codeName?: string; message?: string; cause?: unknown };

// Receipts are judged by time: a clock that is off refuses genuine ones.
async function compareClocks({ clock, vaultTime }: Deps): Promise<string> {
	const differenceMs = Math.abs((await vaultTime()) - clock());
	if (differenceMs > clockDifferenceMsMax)
		throw new Error(`${Math.round(differenceMs / 1000)} s away from Vault's clock`);
	return "within a few seconds of Vault's clock";
}

function describe(finding: Finding): string {
	const mark = finding.ok ? "ok  " : finding.severity === "warning" ? "WARN" : "FAIL";
	const line = `${mark} ${finding.check}: ${finding.detail}`;
	return finding.ok ? line : `${line}\n     → ${finding.mend}`;
}
