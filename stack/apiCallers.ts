// Who asks in `npm run test:api`: a key and people for whom no route is shut, and people who may be signed out meanwhile.

import { createApiKey, setGovernance } from "../cli/administer.ts";
import { loadConfig } from "../config.ts";
import { createDeps } from "../deps.ts";
import { machineRoles, roles } from "../domain/roles.ts";
import { magicNumber } from "./carrier/magic.ts";
import { enrolPerson } from "./enrolPerson.ts";

/** What there is to ask about: the first word of a path → ids. */
export type ApiThings = Record<string, string[]>;

/**
 * Bearer tokens. `key`: of a machine with every role that one can have; `person`: of somebody with every role. `kept`: ids
 * of the keys, which must go on.
 */
export type ApiCallers = { key: string; adminKey: string; person: string; leaving: string[]; kept: string[] };

// As many as may be signed out: what ends a session is asked with the next one's.
const leavingCount = 12;

/** Makes them for a tenant, which governs the policies from then on. */
export async function createApiCallers(
	environment: Record<string, string | undefined>,
	{ apiUrl, tenantId }: { apiUrl: string; tenantId: string },
): Promise<ApiCallers> {
	const deps = await createDeps({ ...loadConfig(environment), logLevel: "silent" }, "admin");
	try {
		await setGovernance(deps, tenantId, true);
		const enrol = async (login: string) => {
			const invitation = { tenantId, login, name: "", roles: [...roles] };
			return enrolPerson(apiUrl, (await deps.people.invite("admin", invitation)).enrolmentToken);
		};
		const key = (name: string) => createApiKey(deps, { tenantId, name, roles: [...machineRoles] });
		const leaving: string[] = [];
		for (let count = 0; count < leavingCount; count++) leaving.push(await enrol(`leaving-${count}`));
		const [all, administration] = [await key("all"), await key("administration")];
		const tokens = { key: all.apiKey, adminKey: administration.apiKey, person: await enrol("everything"), leaving };
		return { ...tokens, kept: [all.id, administration.id] };
	} finally {
		await deps.close();
	}
}

const number = magicNumber("delivered");
const lawful = { category: "transactional", lawfulBasis: "contract" };
const hold = { scope: "subject", number, ground: "litigation", reason: "case" };
const consent = { number, type: "express", purposes: ["marketing"], obtainedAt: "2026-01-01T00:00:00Z" };
const thingsEach = 3;

/** @throws Error when one of those who ask everything opens nothing any more: what was asked since found a shut door */
export async function requireCallers(apiUrl: string, { key, adminKey, person }: ApiCallers): Promise<void> {
	for (const [name, token] of Object.entries({ key, adminKey, person })) {
		const response = await fetch(`${apiUrl}/v1/api-keys`, { headers: { authorization: `Bearer ${token}` } });
		if (!response.ok) throw new Error(`${name} was shut out while the API was asked: ${response.status}`);
	}
}

/** Bodies that are taken, by operation: of those that fit the document few name a number, or a person, that there is. */
export type ApiBodies = Record<string, object>;

/** A hold waits for somebody to approve it: who that is the person's own session says. */
export async function createApiBodies(apiUrl: string, { person }: ApiCallers): Promise<ApiBodies> {
	const response = await fetch(`${apiUrl}/v1/session`, { headers: { authorization: `Bearer ${person}` } });
	const { personId: approvedBy } = (await response.json()) as { personId: string };
	const wide = { scope: "tenant", ground: "audit", reviewAt: "2099-01-01T00:00:00Z", approvedBy };
	const bodies = { ...makings(0), holds: wide };
	return Object.fromEntries(Object.entries(bodies).map(([path, body]) => [`POST /v1/${path}`, body]));
}

/** Makes a few of everything that a path names, so that it is not asked about what is not there alone. */
export async function createApiThings(apiUrl: string, { key, person }: ApiCallers): Promise<ApiThings> {
	const post = async (path: string, body: object): Promise<string> => {
		const bearer = path === "people" || path === "policy-proposals" ? person : key;
		const headers = { authorization: `Bearer ${bearer}`, "content-type": "application/json" };
		const response = await fetch(`${apiUrl}/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
		const answer = (await response.json()) as { id?: string; items?: { id: string }[] };
		const id = answer.id ?? answer.items?.[0]?.id;
		if (!response.ok || id === undefined) throw new Error(`${path}: ${JSON.stringify(answer)}`);
		return id;
	};
	const things: ApiThings = {};
	for (let count = 0; count < thingsEach; count++) {
		for (const [path, body] of Object.entries(makings(count))) {
			things[path] = [...(things[path] ?? []), await post(path, body)];
		}
	}
	return things;
}

/** Bodies that make one of each; messages first, for what comes later may forbid them. */
function makings(count: number): Record<string, object> {
	return {
		messages: { to: number, body: "Your parcel is at the counter.", ...lawful },
		batches: { messages: [{ to: number }], body: "Your parcel is at the counter.", ...lawful },
		templates: {
			name: `template-${"abc"[count]}`,
			text: "At {{when}}.",
			variables: { when: { dataClass: "contact", charactersMax: 9 } },
		},
		verifications: { to: `${number.slice(0, -1)}${count}`, lawfulBasis: "contract" },
		"api-keys": { name: "k", roles: ["sender"] },
		"webhook-endpoints": { url: "https://hooks.example.com/lethe" },
		people: { login: `somebody-${count}`, roles: ["sender"] },
		"policy-proposals": {
			why: "A week",
			pack: "defaults",
			changes: [{ rule: "defaults.retention", path: "retention.content.max", value: "P7D" }],
		},
		consents: { ...consent, wording: "w-1", evidence: "e-1" },
		"subject-requests": { number, kind: "access" },
		...(count === thingsEach - 1 ? { "opt-outs": { number, scope: "all" }, holds: hold } : {}),
	};
}
