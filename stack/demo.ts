// What a first start shows: a tenant, a send queue and a key, then one message from accept to its erasure certificate.

import { join, relative, sep } from "node:path";
import type { Certificate } from "../audit/certificate.ts";
import { verifyCertificate } from "../audit/verifyCertificate.ts";
import { createApiKey, createTenant, prepare, putSendQueue, setLinkHost } from "../cli/administer.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { anywhere } from "../domain/abuse.ts";
import { isApiKey } from "../domain/apiKeyText.ts";
import { magicNumber } from "./carrier/magic.ts";
import { makePrivateFolder, writePrivateFile } from "./files.ts";

/** The send queue of the demo, as in its callback URL. */
const demoSendQueue = "simulator-demo";

// Its carrier delivers nothing, wherever it is sent to: no registry has to know its sender.
const destinations = [anywhere];
const registrations = { AU: "demo", IN: "demo:demo:demo", SG: "demo", US: "demo" };

// Without the first, HELP would go unanswered.
const inbound = {
	helpReply: "Lethe demo: messages of a trial. Reply STOP to get no more.",
	stopReply: "Lethe demo: you have opted out and get no more messages.",
};

/** Where the simulated carrier sends the demo queue's receipts, or what recipients write. */
export function demoCallbackUrl(apiUrl: string, kind: "receipts" | "inbound"): string {
	return `${apiUrl}/v1/callbacks/simulator/${demoSendQueue}/${kind}`;
}

export type DemoCarrier = { url: string; token: string; publicKey: string };

/** Creates the collections, the demo's send queue, its tenant and its key; with a tenant and key from before, keeps those. */
export async function setUpDemo(
	environment: Record<string, string | undefined>,
	carrier: DemoCarrier,
	known?: { tenantId: string; apiKey: string },
	ratePerSecond = 100,
): Promise<{ tenantId: string; apiKey: string }> {
	const deps = await createDeps({ ...loadConfig(environment), logLevel: "silent" }, "admin");
	try {
		await prepare(deps);
		const before = await deps.store.sendQueues.find(demoSendQueue);
		await putSendQueue(
			deps,
			{
				_id: demoSendQueue,
				carrier: "simulator",
				sender: "Lethe",
				settings: { url: carrier.url },
				ratePerSecond,
				registrations: { ...registrations, ...before?.registrations },
				// Of none that is real: what health information goes through is simulated as well.
				baaRef: "demo",
				// Its ledger is there to be looked at.
				carrierCopy: "keep",
				paused: false,
			},
			{ send: { token: carrier.token }, callback: { publicKey: carrier.publicKey } },
		);
		const tenant = known && (await deps.store.tenants.find(known.tenantId));
		if (known && tenant && (await opens(deps, known.apiKey))) {
			// One of an older version named no destinations and had no replies.
			await deps.store.tenants.set(known.tenantId, {
				destinations: tenant.destinations ?? destinations,
				inbound: { ...inbound, ...tenant.inbound },
			});
			// The API may be elsewhere than it was.
			if (tenant.link?.host !== deps.publicUrl) await setLinkHost(deps, known.tenantId, { host: deps.publicUrl });
			return known;
		}
		const tenantId = await createTenant(deps, {
			...{ name: "Demo", establishment: "US", sendQueues: [demoSendQueue] },
			destinations,
			inbound,
		});
		await setLinkHost(deps, tenantId, { host: deps.publicUrl });
		const roles = ["sender", "compliance", "operator", "auditor", "admin"];
		const { apiKey } = await createApiKey(deps, { tenantId, name: "demo", roles });
		return { tenantId, apiKey };
	} finally {
		await deps.close();
	}
}

type Shown = {
	state: string;
	submissionId: string;
	evidence: { at: string; type: string; code?: string }[];
	certificates: string[];
	retention: Record<string, { erasedAt?: string; verifiedAt?: string } | undefined>;
};

type Refused = { code?: string; title?: string; reasons?: string[] };

const pollMs = 50;
const waitMsMax = 60_000;

/**
 * Sends one message and tells its story as it happens, then checks its certificate and saves it below `folder`.
 * True when it was delivered, and what its class forgets at once is gone, read back and certified.
 */
export async function showMessage(
	{ apiUrl, apiKey, folder }: { apiUrl: string; apiKey: string; folder: string },
	say: (line: string) => void,
): Promise<boolean> {
	const api = async (path: string, init: RequestInit = {}) => {
		const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
		const response = await fetch(`${apiUrl}${path}`, { ...init, headers });
		if (!response.ok) throw new Error(await describeRefusal(path, response));
		return response.json() as Promise<unknown>;
	};
	const request = {
		to: magicNumber("delivered"),
		body: "Your parcel is at the counter.",
		category: "transactional",
		dataClasses: ["contact"],
	};
	const { id } = (await api("/v1/messages", { method: "POST", body: JSON.stringify(request) })) as { id: string };
	say(`message ${id}`);
	const shown = await follow((path) => api(path) as Promise<Shown>, id, say);
	if (shown.state !== "delivered") {
		say(`the message ended as ${shown.state}, not delivered`);
		return false;
	}
	const kept = ["content", "address"].filter((name) => !shown.retention[name]?.verifiedAt);
	if (kept.length > 0 || shown.certificates.length === 0) {
		say(`not certified as erased: ${kept.join(", ")}`);
		return false;
	}
	const [certificateId] = shown.certificates;
	const { jws } = (await api(`/v1/certificates/${certificateId}`)) as { jws: string };
	const keys = await api("/.well-known/jwks.json");
	const result = await verifyCertificate(jws, keys, { now: Date.now() });
	say(`certificate ${certificateId}: ${result.valid ? "valid" : "NOT valid"}`);
	if (result.valid) for (const line of summarise(result.certificate)) say(`  ${line}`);
	const files = saveCertificate(folder, jws, keys);
	say(`  saved     ${files.certificate}; to check it, also when nothing runs:`);
	say(`  npx lethe verify ${files.certificate} --keys ${files.keys}`);
	return result.valid;
}

/** As whoever starts it has to know: what is on record of the number from before may forbid the message. */
async function describeRefusal(path: string, response: Response): Promise<string> {
	const { code, title = "", reasons = [] } = (await response.json().catch(() => ({}))) as Refused;
	const why = code === undefined ? "" : `, ${[code, ...reasons].join(" ")}: ${title}`;
	return `no message is shown: ${path} answered ${response.status}${why}`;
}

function summarise({ objects, completeFrom, reasons }: Certificate): string[] {
	return [
		...objects.map(({ object, erasedAt }) => `erased    ${erasedAt}  ${object.replace("_", " ")}`),
		completeFrom
			? `complete  ${completeFrom}  the last copy that it lists has ended`
			: `incomplete: ${reasons.join(", ")}`,
	];
}

/** Saves both, in place of those of the last start; the paths as a command in this folder may name them. */
function saveCertificate(folder: string, jws: string, keys: unknown): { certificate: string; keys: string } {
	makePrivateFolder(folder);
	const files = { certificate: join(folder, "certificate.jws"), keys: join(folder, "keys.json") };
	writePrivateFile(files.certificate, `${jws}\n`);
	writePrivateFile(files.keys, `${JSON.stringify(keys, null, 2)}\n`);
	const here = process.cwd();
	const pathOf = (file: string) => (file.startsWith(`${here}${sep}`) ? relative(here, file) : file);
	return { certificate: pathOf(files.certificate), keys: pathOf(files.keys) };
}

async function follow(read: (path: string) => Promise<Shown>, id: string, say: (line: string) => void): Promise<Shown> {
	const end = Date.now() + waitMsMax;
	let told = 0;
	for (;;) {
		const shown = await read(`/v1/messages/${id}`);
		for (const entry of shown.evidence.slice(told)) {
			say(
				`  ${entry.at.slice(11, 23)}  ${entry.type}${entry.code && entry.code !== entry.type ? ` (${entry.code})` : ""}`,
			);
		}
		told = shown.evidence.length;
		if (shown.evidence.some((entry) => entry.type === "certified") || Date.now() > end) return shown;
		await new Promise((resolve) => setTimeout(resolve, pollMs));
	}
}

// One whose hash is of an older form, or under a version of the key that has ended, opens nothing.
async function opens({ hmac, store }: Awaited<ReturnType<typeof createDeps>>, apiKey: string): Promise<boolean> {
	if (!isApiKey(apiKey)) return false;
	const macs = (await hmac.allMacs("api-key", undefined, apiKey)).map(({ mac }) => mac);
	return (await store.apiKeys.findByMacs(macs)) !== undefined;
}
