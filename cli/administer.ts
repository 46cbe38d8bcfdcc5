// What an administrator does: the stores made ready, tenants with their keys, send queues with their secrets, API keys
// shown once.

import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { checkQueue } from "../adapters/carriers/registry.ts";
import type {
	IdentityProviderDocument,
	IssuerDocument,
	SendQueueDocument,
	TenantDocument,
} from "../adapters/mongo/models.ts";
import type { SecretPurpose } from "../adapters/vault/carrierSecrets.ts";
import type { ProviderCredential } from "../adapters/vault/providerCredentials.ts";
import type { Deps } from "../deps.ts";
import type { LetheError } from "../domain/errors.ts";
import type { LinkSettings } from "../domain/linkRecord.ts";
import { refuseLeaving } from "../domain/tenancy.ts";

type AdminDeps = Pick<Deps, "store" | "hmac" | "ids" | "clock" | "secrets" | "carriers"> & {
	evidence: Pick<Deps["evidence"], "append">;
	sendQueues: Pick<Deps["sendQueues"], "forget" | "forgetHealth">;
};

const by = "admin";

/** Makes the collections, their indexes and the HMAC keys that every deployment has; changes nothing that is there. */
export async function prepare(deps: Pick<AdminDeps, "store" | "hmac" | "evidence">): Promise<void> {
	await deps.store.prepare();
	await deps.evidence.append([{ type: "stores_prepared", by }]);
	await deps.hmac.createGlobalKeys();
}

/**
 * Creates a tenant and its subject key; the first of a deployment governs its policies unless told. Answers its id.
 * @throws Error when one of its send queues does not exist
 */
export async function createTenant(
	deps: AdminDeps,
	tenant: Pick<TenantDocument, "name" | "establishment" | "sendQueues" | "destinations"> &
		Partial<Pick<TenantDocument, "retention" | "inbound" | "governsPolicies">>,
): Promise<string> {
	await requireSendQueues(deps, tenant.sendQueues);
	const id = deps.ids.random("tenant");
	await deps.evidence.append([{ type: "tenant_created", tenantId: id, by }]);
	// The key first: a tenant without one could accept nobody's number.
	await deps.hmac.createKey("subject", id);
	const governsPolicies = tenant.governsPolicies ?? (await deps.store.tenants.all()).length === 0;
	await deps.store.tenants.put({ retention: {}, ...tenant, governsPolicies, _id: id, createdAt: deps.clock() });
	return id;
}

/**
 * Sets the send queues that a tenant may use, in the order in which they stand among equals.
 * @throws Error when there is no such tenant or queue, or one that it has is left out
 */
export async function setRoutes(
	deps: Pick<AdminDeps, "store" | "evidence">,
	tenantId: string,
	sendQueues: string[],
): Promise<void> {
	const tenant = await deps.store.tenants.find(tenantId);
	if (!tenant) throw new Error(`there is no tenant ${tenantId}. Correct its id.`);
	await requireSendQueues(deps, sendQueues);
	const missing = tenant.sendQueues.find((id) => !sendQueues.includes(id));
	if (missing !== undefined) {
		throw new Error(
			`${missing} can't be taken away: what recipients write to its sender would reach nobody. Name it too, and \`lethe queue drain ${missing}\`.`,
		);
	}
	await deps.evidence.append([{ type: "tenant_changed", code: "send_queues", tenantId, by }]);
	await deps.store.tenants.set(tenantId, { sendQueues: [...new Set(sendQueues)] });
}

async function requireSendQueues(deps: Pick<AdminDeps, "store">, sendQueues: readonly string[]): Promise<void> {
	for (const sendQueue of sendQueues) {
		if (await deps.store.sendQueues.find(sendQueue)) continue;
		throw new Error(`there is no send queue ${sendQueue}. Create it with \`lethe admin queue\`, or correct its id.`);
	}
}

type TenantDeps = Pick<AdminDeps, "store" | "evidence">;

/**
 * Lets a tenant's people take part in changing policies, or no longer.
 * @throws Error when the tenant does not exist
 */
export function setGovernance(deps: TenantDeps, tenantId: string, governsPolicies: boolean): Promise<void> {
	return changeTenant(deps, tenantId, governsPolicies ? "governs_policies" : "governs_no_policies", {
		governsPolicies,
	});
}

/**
 * Sets the country of a tenant's establishment; what was decided before stays decided.
 * @throws Error when the tenant does not exist
 */
export function setEstablishment(deps: TenantDeps, tenantId: string, establishment: string): Promise<void> {
	return changeTenant(deps, tenantId, "establishment", { establishment });
}

/**
 * Sets where a tenant's secure links lead, from now on; links that were sent stay as they are.
 * @throws Error when the tenant does not exist
 */
export function setLinkHost(deps: TenantDeps, tenantId: string, link: LinkSettings): Promise<void> {
	return changeTenant(deps, tenantId, "link_host", { link });
}

/**
 * Sets what a tenant answers to STOP and HELP, and what a STOP blocks; what is left out is unset.
 * @throws Error when the tenant does not exist
 */
export function setReplies(
	deps: TenantDeps,
	tenantId: string,
	inbound: NonNullable<TenantDocument["inbound"]>,
): Promise<void> {
	return changeTenant(deps, tenantId, "replies", { inbound });
}

/**
 * Has a tenant's machines sign what they ask, all or what asks of people for a fresh second factor, or lets each key say
 * so for itself; in force within seconds.
 * @throws Error when the tenant does not exist
 */
export function requireSignatures(
	deps: TenantDeps,
	tenantId: string,
	requiresSignatures: NonNullable<TenantDocument["requiresSignatures"]>,
): Promise<void> {
	const codes = {
		true: "requires_signatures",
		false: "requires_no_signatures",
		step_up: "requires_step_up_signatures",
	};
	const code = codes[`${requiresSignatures}`];
	return changeTenant(deps, tenantId, code, { requiresSignatures });
}

async function changeTenant(
	deps: TenantDeps,
	tenantId: string,
	code: string,
	change: Parameters<Deps["store"]["tenants"]["set"]>[1],
): Promise<void> {
	if (!(await deps.store.tenants.find(tenantId))) throw new Error(`there is no tenant ${tenantId}. Correct its id.`);
	await deps.evidence.append([{ type: "tenant_changed", code, tenantId, by }]);
	await deps.store.tenants.set(tenantId, change);
}

/**
 * Creates an API key. The key itself is shown once and stored only as a keyed hash.
 * @throws Error when the tenant does not exist; LetheError person_required for a role that no key can have
 */
export async function createApiKey(
	deps: Pick<Deps, "store" | "apiKeys">,
	options: Parameters<Deps["apiKeys"]["issue"]>[1],
): Promise<{ id: string; apiKey: string }> {
	if (!(await deps.store.tenants.find(options.tenantId))) {
		throw new Error(
			`there is no tenant ${options.tenantId}. Create it with \`lethe admin tenant create\`, or correct its id.`,
		);
	}
	const { document, apiKey } = await deps.apiKeys.issue(by, options);
	return { id: document._id, apiKey: apiKey as string };
}

/**
 * Takes an outside issuer's tokens, for one tenant; trusted again, it is trusted as told now. Answers its id.
 * @throws Error when there is no such tenant, the issuer is another tenant's, or does not show its keys; LetheError
 * tenant_suspended when the tenant is leaving
 */
export async function trustIssuer(
	deps: Pick<Deps, "ids" | "clock" | "issuerKeys"> & {
		store: Pick<Deps["store"], "tenants" | "issuers" | "identityProviders">;
		evidence: Pick<Deps["evidence"], "append">;
	},
	issuer: Omit<IssuerDocument, "_id" | "createdAt">,
): Promise<{ issuerId: string }> {
	const { url, tenantId } = issuer;
	const tenant = await deps.store.tenants.find(tenantId);
	if (!tenant) throw new Error(`there is no tenant ${tenantId}. Correct its id.`);
	refuseLeaving(tenant);
	const _id = deps.ids.derive("issuer", url);
	await refuseShared(deps, url, tenantId);
	await deps.issuerKeys.get(url).catch((error: LetheError) => {
		throw new Error(`${url} does not show its keys (${error.cause}). Correct it, or LETHE_OUTBOUND_ALLOWED.`);
	});
	await deps.evidence.append([{ type: "issuer_trusted", tenantId, about: _id, by }]);
	await deps.store.issuers.put({ ...issuer, _id, createdAt: deps.clock() });
	return { issuerId: _id };
}

/** An outside issuer, of tokens or of people, speaks for one tenant. */
async function refuseShared(
	{ store, ids }: Pick<Deps, "ids"> & { store: Pick<Deps["store"], "issuers" | "identityProviders"> },
	url: string,
	tenantId: string,
): Promise<void> {
	const known = [
		await store.issuers.find(ids.derive("issuer", url)),
		await store.identityProviders.find(ids.derive("identityProvider", url)),
	];
	const other = known.find((one) => one && one.tenantId !== tenantId);
	if (other) throw new Error(`${url} acts for ${other.tenantId}. Remove it there first: an issuer is one tenant's.`);
}

type ProviderDeps = Pick<Deps, "ids" | "clock"> & {
	store: Pick<Deps["store"], "tenants" | "issuers" | "identityProviders" | "people">;
	evidence: Pick<Deps["evidence"], "append">;
	issuerKeys: Pick<Deps["issuerKeys"], "get">;
	openid: Pick<Deps["openid"], "check">;
	providerCredentials: Pick<Deps["providerCredentials"], "write" | "remove">;
};

/**
 * Has a tenant's people sign in by their identity provider; given again, it is as told now. `secret`: of the client that
 * Lethe is there; without one a key pair is made, whose public half (RFC 7517) is answered, to be registered there.
 * @throws Error with the mend when there is no such tenant, nothing shows a second factor, or the provider is another
 * tenant's or does not answer; LetheError tenant_suspended when the tenant is leaving
 */
export async function putIdentityProvider(
	deps: ProviderDeps,
	given: Omit<IdentityProviderDocument, "_id" | "createdAt">,
	secret: string | undefined,
): Promise<{ providerId: string; publicKey?: Record<string, string> }> {
	const { url, tenantId, mfa } = given;
	const tenant = await deps.store.tenants.find(tenantId);
	if (!tenant) throw new Error(`there is no tenant ${tenantId}. Correct its id.`);
	refuseLeaving(tenant);
	if (!mfa.amr?.length && !mfa.acr?.length) {
		throw new Error("nothing would show a second factor. Say by --amr or --acr what the provider's ID tokens do.");
	}
	await refuseShared(deps, url, tenantId);
	await Promise.all([deps.openid.check(url), deps.issuerKeys.get(url)]).catch((error: LetheError) => {
		throw new Error(
			`${url} is no OpenID provider that answers (${error.cause}). Correct it, or LETHE_OUTBOUND_ALLOWED.`,
		);
	});
	const _id = deps.ids.derive("identityProvider", url);
	const pair = secret === undefined ? createClientKey() : undefined;
	await deps.evidence.append([{ type: "identity_provider_changed", tenantId, about: _id, by }]);
	await deps.providerCredentials.write(_id, pair?.credential ?? { secret: secret as string });
	await deps.store.identityProviders.put({ ...given, _id, createdAt: deps.clock() });
	return { providerId: _id, ...(pair && { publicKey: pair.publicKey }) };
}

/** Lets nobody sign in by that provider any more, and ends the sessions of those who did. False when there is none. */
export async function removeIdentityProvider(deps: ProviderDeps, url: string): Promise<boolean> {
	const found = await deps.store.identityProviders.find(deps.ids.derive("identityProvider", url));
	if (!found) return false;
	const { _id: about, tenantId } = found;
	await deps.evidence.append([{ type: "identity_provider_removed", tenantId, about, by }]);
	await deps.store.identityProviders.remove(about);
	for (const { _id, sso } of await deps.store.people.findByTenant(tenantId)) {
		if (sso?.providerId !== about) continue;
		await deps.store.people.change(_id, (person) => ({ ...person, sessionsFrom: deps.clock() }));
	}
	await deps.providerCredentials.remove(about);
	return true;
}

function createClientKey() {
	const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
	const about = { kid: randomBytes(9).toString("base64url"), alg: "ES256", use: "sig" };
	const credential: ProviderCredential = { privateKey: { ...toJwk(privateKey), ...about } };
	return { credential, publicKey: { ...toJwk(publicKey), ...about } };
}

function toJwk(key: KeyObject): Record<string, string> {
	return key.export({ format: "jwk" }) as Record<string, string>;
}

/**
 * Sees that there is such a carrier, and that it can use these settings and sender; asks no server.
 * @throws RangeError | TypeError
 */
export function checkSettings(carrier: string, settings: Record<string, string>, sender: string): Promise<void> {
	// Where the simulated one is refused, that is told with the secrets.
	return checkQueue(carrier, { settings, sender, secrets: {} }, true);
}

/**
 * Creates or replaces a send queue; secrets go to Vault only.
 * @throws RangeError | TypeError, before anything is changed, when the carrier is unknown, refused here, or can't use what
 * it is given; Error with the mend, when it would become another carrier's or sender's while it is needed as it is
 */
export async function putSendQueue(
	deps: AdminDeps,
	queue: SendQueueDocument,
	secrets: Record<SecretPurpose, Record<string, string>>,
): Promise<void> {
	await deps.carriers.check(queue.carrier, { settings: queue.settings, sender: queue.sender, secrets });
	const known = await deps.store.sendQueues.find(queue._id);
	const isAnother = known !== undefined && (known.carrier !== queue.carrier || known.sender !== queue.sender);
	if (isAnother) await refuseReplacing(deps, known);
	await writeSecrets(deps, queue._id, secrets);
	if (await deps.store.sendQueues.insert({ ...queue, draining: false })) return;
	if (known === undefined) {
		throw new Error(`${queue._id} was made by somebody else meanwhile: run this again, if it is to be as you said.`);
	}
	await deps.store.sendQueues.set(queue._id, changeOf(queue, isAnother));
}

/**
 * What the command says of a queue that there is; null where it is silent, and nothing stays. Nothing of what operators
 * set meanwhile is in it: who stopped it did so for a reason that another secret or rate is no end of. Of another carrier
 * or sender, their rates, prices and registrations would be untrue.
 */
function changeOf({ _id, paused: _, ...queue }: SendQueueDocument, isAnother: boolean): Record<string, unknown> {
	const operators = isAnother ? { ratePerSecond: null, prices: null, countryRates: null, registrations: null } : {};
	return { ...owned, ...operators, ...queue };
}

/** What administrators alone say of a queue's route. */
const owned = {
	countries: null,
	categories: null,
	region: null,
	baaRef: null,
	approvedSubprocessor: null,
	processingCountry: null,
	transferMechanism: null,
} as const satisfies Partial<Record<keyof SendQueueDocument, null>>;

/** Receipts are verified as its carrier's, replies come to its sender, and what waits was decided for both. */
async function refuseReplacing(
	deps: Pick<AdminDeps, "store">,
	{ _id, carrier, sender }: SendQueueDocument,
): Promise<void> {
	const users = await deps.store.tenants.findBySendQueue(_id);
	const { open, copyDue } = await findNeeds(deps, _id);
	const why = [
		...(users[0] ? [`${users[0]._id} has it (${users.length} in all)`] : []),
		...open,
		...(copyDue === undefined ? [] : [`its carrier has yet to forget messages, ${copyDue} among them`]),
	];
	if (why.length === 0) return;
	throw new Error(
		`${_id} can't become another carrier's or sender's than ${carrier} ${sender}: it is still needed. ${why.join("; ")}. Make a queue of another id, give it to who has this one with \`lethe admin tenant routes\`, then \`lethe queue drain ${_id} --move\` and \`lethe admin remove-queue ${_id}\`.`,
	);
}

type Secrets = Partial<Record<SecretPurpose, Record<string, string>>>;

/**
 * Replaces what a send queue's carrier is called with, what its callbacks are checked with, or both; in force within five seconds.
 * @throws RangeError | TypeError when the carrier can't use them; nothing is written then
 */
export async function putSecrets(
	deps: Pick<AdminDeps, "carriers" | "evidence" | "secrets" | "sendQueues">,
	{ _id, carrier, settings, sender }: Pick<SendQueueDocument, "_id" | "carrier" | "settings" | "sender">,
	secrets: Secrets,
): Promise<void> {
	await deps.carriers.check(carrier, { settings, sender, secrets });
	await writeSecrets(deps, _id, secrets);
}

async function writeSecrets(
	deps: Pick<AdminDeps, "evidence" | "secrets" | "sendQueues">,
	sendQueue: string,
	given: Secrets,
): Promise<void> {
	await deps.evidence.append([{ type: "send_queue_changed", code: sendQueue, by }]);
	for (const [purpose, secrets] of Object.entries(given)) {
		await deps.secrets.write(sendQueue, purpose as SecretPurpose, secrets);
	}
	// How its carrier did with those before tells nothing any more. Redis may be away: the next attempt tells.
	await deps.sendQueues.forgetHealth(sendQueue).catch(() => undefined);
}

// Changes of a queue are in force everywhere within five seconds.
const inForceMs = 6_000;

/**
 * Removes a send queue, and destroys its secrets; tenants that have it go on with their others.
 * Cut off half way it is repeated.
 * @param options `leaveCopies`: though its carrier has yet to forget messages
 * @throws Error with the mend when there is none, while it takes what is new, anything needs it, or a tenant has no other
 */
export async function removeSendQueue(
	deps: AdminDeps,
	sendQueue: string,
	{ leaveCopies = false, waitMs = inForceMs }: { leaveCopies?: boolean; waitMs?: number } = {},
): Promise<void> {
	const queue = await deps.store.sendQueues.find(sendQueue);
	if (!queue) throw new Error(`there is no send queue ${sendQueue}: \`lethe doctor\` names those that there are.`);
	const drain = `\`lethe queue drain ${sendQueue} --move\``;
	let users = await findUsers(deps, sendQueue);
	if (users.length > 0 && !queue.draining) {
		throw new Error(`${sendQueue} still takes messages. Run ${drain}, then this again once what it has is decided.`);
	}
	await refuseNeeded(deps, sendQueue, leaveCopies);
	if (users.length > 0) {
		await new Promise((resolve) => setTimeout(resolve, waitMs));
		await refuseNeeded(deps, sendQueue, leaveCopies);
		users = await findUsers(deps, sendQueue);
	}
	await deps.evidence.append([
		{ type: "send_queue_removed", code: sendQueue, by },
		...users.map(({ _id: tenantId }) => ({ type: "tenant_changed" as const, code: "send_queues", tenantId, by })),
	]);
	await deps.store.tenants.dropSendQueue(sendQueue);
	await deps.secrets.destroy(sendQueue);
	// Redis may be away: nobody reads what it has of a queue that there is not.
	await deps.sendQueues.forget(sendQueue).catch(() => undefined);
	await deps.store.sendQueues.remove(sendQueue);
}

/** The tenants that have it. @throws Error when one of them has no other */
async function findUsers(deps: Pick<AdminDeps, "store">, sendQueue: string): Promise<TenantDocument[]> {
	const users = await deps.store.tenants.findBySendQueue(sendQueue);
	const lone = users.find(({ sendQueues, standing }) => sendQueues.length === 1 && standing?.state !== "left");
	if (lone === undefined) return users;
	throw new Error(
		`${sendQueue} is the only one of ${lone._id}. Give it another first: \`lethe admin tenant routes ${lone._id} --send-queue ${sendQueue} …\`.`,
	);
}

async function refuseNeeded(deps: Pick<AdminDeps, "store">, sendQueue: string, leaveCopies: boolean): Promise<void> {
	const { open, copyDue } = await findNeeds(deps, sendQueue);
	if (open.length > 0) throw new Error(`${sendQueue} is still needed. ${open.join("; ")}. Run this again then.`);
	if (copyDue !== undefined && !leaveCopies) {
		throw new Error(
			`the carrier of ${sendQueue} has yet to forget messages, ${copyDue} among them. Run this again when it has, or with --leave-copies: certificates then say that it never did.`,
		);
	}
}

/** What keeps its messages open, each with its end, and one that its carrier has yet to forget. */
async function findNeeds(
	{ store }: Pick<AdminDeps, "store">,
	sendQueue: string,
): Promise<{ open: string[]; copyDue?: string }> {
	const { waiting, sent, ...rest } = await store.messages.findNeeding(sendQueue);
	const by = ({ endsAt }: { endsAt: number }) => `at ${new Date(endsAt).toISOString()} at the latest`;
	const open = [
		...(waiting
			? [
					`${waiting.id} waits for it (${waiting.count} in all): \`lethe queue drain ${sendQueue} --move\` hands on what may go elsewhere, POST /v1/messages/{id}/cancel cancels, and what is left expires ${by(waiting)}`,
				]
			: []),
		...(sent
			? [
					`what became of ${sent.id} is not known yet (${sent.count} in all): past cancelling, it ends by a receipt, or by itself ${by(sent)}`,
				]
			: []),
	];
	return { open, ...rest };
}
