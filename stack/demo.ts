// What a first start shows: a tenant, a send queue and a key, then one message from accept to its erasure certificate.

import { verifyCertificate } from "../audit/verifyCertificate.ts";
import { createApiKey, createTenant, prepare, putSendQueue } from "../cli/administer.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { magicNumber } from "./carrier/magic.ts";

/** The send queue of the demo, as in its callback URL. */
const demoSendQueue = "simulator-demo";

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
		await putSendQueue(
			deps,
			{
				_id: demoSendQueue,
				carrier: "simulator",
				sender: "Lethe",
				settings: { url: carrier.url },
				ratePerSecond,
				paused: false,
			},
			{ send: { token: carrier.token }, callback: { publicKey: carrier.publicKey } },
		);
		if (known && (await deps.store.tenants.find(known.tenantId))) return known;
		const tenantId = await createTenant(deps, { name: "Demo", establishment: "US", sendQueues: [demoSendQueue] });
		const roles = ["sender", "compliance", "operator", "auditor"];
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

const pollMs = 50;
const waitMsMax = 60_000;

/**
 * Sends one message and tells its story as it happens, then checks its certificate.
 * True when it was delivered, and what its class forgets at once is gone, read back and certified.
 */
export async function showMessage(apiUrl: string, apiKey: string, say: (line: string) => void): Promise<boolean> {
	const api = async (path: string, init: RequestInit = {}) => {
		const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
		const response = await fetch(`${apiUrl}${path}`, { ...init, headers });
		if (!response.ok) throw new Error(`${path} answered ${response.status}`);
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
	const { jws } = (await api(`/v1/certificates/${shown.certificates[0]}`)) as { jws: string };
	const result = await verifyCertificate(jws, (await api("/.well-known/jwks.json")) as never, { now: Date.now() });
	say(`certificate ${shown.certificates[0]}: ${result.valid ? "valid" : "NOT valid"}`);
	say(jws);
	return result.valid;
}

async function follow(read: (path: string) => Promise<Shown>, id: string, say: (line: string) => void): Promise<Shown> {
	const end = Date.now() + waitMsMax;
	let told = 0;
	for (;;) {
		const shown = await read(`/v1/messages/${id}`);
		for (const entry of shown.evidence.slice(told)) {
			say(`  ${entry.at.slice(11, 23)}  ${entry.type}${entry.code ? ` (${entry.code})` : ""}`);
		}
		told = shown.evidence.length;
		if (shown.evidence.some((entry) => entry.type === "certified") || Date.now() > end) return shown;
		await new Promise((resolve) => setTimeout(resolve, pollMs));
	}
}
