// A door over an engine's own store, for what begins with a caller and ends with a worker: requests of subjects above all.

import { randomBytes } from "node:crypto";
import { apiKeyBytes, formatApiKey } from "../../domain/apiKeyText.ts";
import { openPolicies } from "../../policies/index.ts";
import { createTestApi } from "../api/harness.ts";
import type { Engine } from "./engine.ts";

/** One tenant of the engine's, and calls to its API. */
export async function openDoor(engine: Engine, establishment = "DE") {
	const api = await createTestApi(() => ({
		clock: engine.clock,
		ids: engine.ids,
		store: engine.store,
		encryption: engine.encryption,
		cohorts: engine.cohorts,
		policies: openPolicies(),
		evidence: engine.evidence,
		runs: {
			whileAccepting: (work) => work(),
			startSoon: () => undefined,
			settleSoon: () => undefined,
			wakeRequestSoon: (input) => void engine.runs.wakeRequest(input).catch(() => undefined),
			revealSoon: (input) => void engine.runs.startReveal(input).catch(() => undefined),
			workersSeen: async () => [0],
		},
	}));
	const tenantId = engine.ids.random("tenant");
	await engine.store.sendQueues.put({
		_id: "queue",
		carrier: "simulator",
		sender: "Lethe",
		settings: {},
		registrations: { US: "C-A1" },
		paused: false,
	});
	const tenant = {
		_id: tenantId,
		name: "Test",
		establishment,
		destinations: ["*"],
		sendQueues: ["queue"],
		retention: {},
		createdAt: 0,
	};
	await engine.store.tenants.put(tenant);

	async function addKey(roles: string[]): Promise<string> {
		const key = formatApiKey(randomBytes(apiKeyBytes));
		const { mac, version } = await api.hmac.mac("api-key", undefined, key);
		const _id = engine.ids.random("apiKey");
		await engine.store.apiKeys.insert({
			...{ _id, tenantId, roles, name: "t", createdAt: 0, createdBy: "admin" },
			secrets: [{ mac, macVersion: version, createdAt: 0 }],
		});
		return key;
	}
	const compliance = await addKey(["compliance"]);

	return {
		api,
		tenantId,
		addKey,
		post: (path: string, body: object, key = compliance) => api.request(key, "POST", path, body),
		get: (path: string, key = compliance) => api.request(key, "GET", path),
		/** The pseudonym that the door gives a number. */
		pseudonym: (number: string) => api.hmac.mac("subject", tenantId, number),
		close: () => api.close(),
	};
}
