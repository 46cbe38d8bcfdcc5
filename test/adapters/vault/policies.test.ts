// Least privilege, on a real Vault: every role tries every act, and only what the table grants is not refused.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { hmacKeySpec } from "../../../adapters/vault/hmacKeys.ts";
import { type Role, roles } from "../../../adapters/vault/policies.ts";
import { credentialsOf, freshId, issuerToken, login, rawRequest, statusOf, type VaultClient } from "./helper.ts";

type Act = {
	name: string;
	by: Role[];
	method: "GET" | "POST" | "DELETE";
	path: string;
	body?: Record<string, unknown>;
};

const cohort = `cohort-${freshId("cohort")}`;
const doomed = `cohort-${freshId("cohort")}`;
const tenantKey = `hmac-subject-${freshId("tenant")}`;
const doomedTenantKey = `hmac-subject-${freshId("tenant")}`;
const people = `people-${freshId("tenant")}`;
const senderTenant = freshId("tenant");
const senders = { data: `kv/data/senders/${senderTenant}`, metadata: `kv/metadata/senders/${senderTenant}` };
const queue = "policy-test";
const keys = "transit/keys";
const logIdentity = `kv/data/logs/identities/age1${freshId("cohort")}`;

// Whatever no role may do has an empty list. The last acts end what the others need.
const acts: Act[] = [
	{
		name: "create a cohort key",
		by: ["api", "rewrapper"],
		method: "POST",
		path: `${keys}/${cohort}`,
		body: { type: "aes256-gcm96" },
	},
	post("create an exportable cohort key", [], `${keys}/cohort-x`, { type: "aes256-gcm96", exportable: true }),
	post("create a cohort key of another type", [], `${keys}/cohort-x`, { type: "rsa-2048" }),
	post("draw a wrapping key", ["api", "rewrapper"], `transit/datakey/plaintext/${cohort}`),
	post("draw a wrapped-only key", [], `transit/datakey/wrapped/${cohort}`),
	post("encrypt under a cohort key", [], `transit/encrypt/${cohort}`, { plaintext: "AAAA" }),
	post("decrypt under a cohort key", ["sender", "exporter"], `transit/decrypt/${cohort}`, {
		ciphertext: "vault:v1:AAAA",
	}),
	post("decrypt what a secure link opens", ["api", "sender", "exporter"], "transit/decrypt/cohort-lnk_x", {
		ciphertext: "vault:v1:AAAA",
	}),
	post("rewrap under a cohort key", ["rewrapper", "admin"], `transit/rewrap/${cohort}`, {
		ciphertext: "vault:v1:AAAA",
	}),
	post("hash under a cohort key", [], `transit/hmac/${cohort}`, { input: "AAAA" }),
	get("read a cohort key's metadata", ["eraser", "rewrapper", "admin"], `${keys}/${cohort}`),
	get("list keys", ["admin", "canary"], `${keys}?list=true`),
	get("export a cohort key", [], `transit/export/encryption-key/${cohort}`),
	get("back a cohort key up", [], `transit/backup/${cohort}`),
	post("make a cohort key exportable", [], `${keys}/${cohort}/config`, { exportable: true }),
	post("allow a backup of a cohort key", [], `${keys}/${cohort}/config`, { allow_plaintext_backup: true }),
	post("retire a cohort key's versions", ["rewrapper", "admin"], `${keys}/${cohort}/config`, {
		min_decryption_version: 1,
	}),
	post("trim a cohort key's versions", ["rewrapper", "admin"], `${keys}/${cohort}/trim`, { min_available_version: 1 }),
	remove("soft-delete a cohort key", ["eraser"], `${keys}/${doomed}/soft-delete`),
	post("rotate the signing key", ["admin"], `${keys}/certificate/rotate`),
	post("rotate the key of checkpoints", ["admin"], `${keys}/evidence/rotate`),
	post("sign", ["signer"], "transit/sign/certificate", { input: "AAAA" }),
	get("read the public signing keys", ["api", "signer", "admin"], `${keys}/certificate`),
	post("end the signing by old versions", ["admin"], `${keys}/certificate/config`, { min_encryption_version: 1 }),
	post("end old public signing keys", [], `${keys}/certificate/config`, { min_decryption_version: 1 }),
	post("trim the signing key's versions", [], `${keys}/certificate/trim`, { min_available_version: 1 }),
	get("export the signing key", [], "transit/export/signing-key/certificate"),
	post("allow deletion of the signing key", [], `${keys}/certificate/config`, { deletion_allowed: true }),
	remove("delete the signing key", [], `${keys}/certificate`),
	post("sign a checkpoint", ["signer"], "transit/sign/evidence", { input: "AAAA" }),
	get("read the public keys of checkpoints", ["api", "signer", "admin"], `${keys}/evidence`),
	post("allow deletion of the key of checkpoints", [], `${keys}/evidence/config`, { deletion_allowed: true }),
	get("read the witness", ["api", "signer", "admin"], "kv/data/evidence/checkpoint"),
	post("write the witness", ["signer"], "kv/data/evidence/checkpoint", { data: { note: "" } }),
	get("read what was judged of the evidence log", ["signer", "admin"], "kv/data/evidence/succession"),
	post("judge the evidence log", ["admin"], "kv/data/evidence/succession", { data: { note: "" } }),
	remove("delete what the witness saw", [], "kv/metadata/evidence/checkpoint"),
	post("sign a canary's result", ["canary"], "transit/sign/canary", { input: "AAAA" }),
	get("read the public keys of canaries", ["api", "signer", "admin", "canary"], `${keys}/canary`),
	post("rotate the key of canaries", ["admin"], `${keys}/canary/rotate`),
	post("sign a token", ["api"], "transit/sign/token", { input: "AAAA" }),
	get("read the public keys of tokens", ["api", "signer", "admin"], `${keys}/token`),
	post("rotate the key of tokens", ["admin"], `${keys}/token/rotate`),
	post("sign a receipt of sending", ["api"], "transit/sign/receipt", { input: "AAAA" }),
	get("read the public keys of receipts", ["api", "signer", "admin"], `${keys}/receipt`),
	post("rotate the key of receipts", ["admin"], `${keys}/receipt/rotate`),
	get("export the key of tokens", [], "transit/export/signing-key/token"),
	post("create a tenant's HMAC key", ["admin"], `${keys}/${tenantKey}`, hmacKeySpec),
	get("export what an HMAC key could encrypt with", [], `transit/export/encryption-key/${tenantKey}`),
	get("export a tenant's HMAC key", ["api"], `transit/export/hmac-key/${tenantKey}`),
	get("export the one-time code HMAC key", ["api"], "transit/export/hmac-key/hmac-code"),
	get("export the API-key HMAC key", ["api", "admin"], "transit/export/hmac-key/hmac-api-key"),
	get("export the people's HMAC key", ["api", "admin"], "transit/export/hmac-key/hmac-person"),
	post("encrypt of a tenant's people", ["api", "admin"], `transit/encrypt/${people}`, { plaintext: "AAAA" }),
	post("encrypt of people under a key of another type", [], `transit/encrypt/${people}x`, {
		plaintext: "AAAA",
		type: "rsa-4096",
	}),
	post("decrypt of a tenant's people", ["api"], `transit/decrypt/${people}`, { ciphertext: "vault:v1:AAAA" }),
	get("export the key of a tenant's people", [], `transit/export/encryption-key/${people}`),
	post("allow deletion of the key of a tenant's people", ["eraser"], `${keys}/${people}/config`, {
		deletion_allowed: true,
	}),
	remove("delete the key of a tenant's people", ["eraser"], `${keys}/${people}`),
	// A glob covers what lies below a key, and a request without parameters breaks no list of them: the eraser, who may
	// destroy such a key, may also add a version to it.
	post("rotate a tenant's HMAC key", ["eraser", "admin"], `${keys}/${tenantKey}/rotate`),
	post("end a tenant's HMAC key's versions", ["admin"], `${keys}/${tenantKey}/config`, {
		min_decryption_version: 1,
		min_encryption_version: 1,
	}),
	post("trim a tenant's HMAC key's versions", ["admin"], `${keys}/${tenantKey}/trim`, { min_available_version: 1 }),
	post("allow deletion of a shared HMAC key", [], `${keys}/hmac-api-key/config`, { deletion_allowed: true }),
	remove("delete a shared HMAC key", [], `${keys}/hmac-api-key`),
	post("allow deletion of a tenant's HMAC key", ["eraser"], `${keys}/${doomedTenantKey}/config`, {
		deletion_allowed: true,
	}),
	remove("delete a tenant's HMAC key", ["eraser"], `${keys}/${doomedTenantKey}`),
	post("write send secrets", ["admin"], `kv/data/carriers/${queue}/send`, { data: {} }),
	post("write callback secrets", ["admin"], `kv/data/carriers/${queue}/callback`, { data: {} }),
	get("read send secrets", ["sender"], `kv/data/carriers/${queue}/send`),
	get("read callback secrets", ["api"], `kv/data/carriers/${queue}/callback`),
	post("write what an identity provider is shown", ["admin"], `kv/data/identity-providers/${queue}`, { data: {} }),
	get("read what an identity provider is shown", ["api"], `kv/data/identity-providers/${queue}`),
	remove("forget what an identity provider is shown", ["admin", "eraser"], `kv/metadata/identity-providers/${queue}`),
	get("see that there are send secrets", ["canary"], `kv/metadata/carriers/${queue}/send`),
	get("see that there are callback secrets", ["canary"], `kv/metadata/carriers/${queue}/callback`),
	get("see what send secrets are called", ["admin"], `kv/subkeys/carriers/${queue}/send`),
	get("see what callback secrets are called", ["admin"], `kv/subkeys/carriers/${queue}/callback`),
	post("change what is kept of send secrets", [], `kv/metadata/carriers/${queue}/send`, { max_versions: 9 }),
	remove("forget secrets that are no half", [], `kv/metadata/carriers/${queue}/none`),
	remove("destroy send secrets", ["admin"], `kv/metadata/carriers/${queue}-gone/send`),
	remove("destroy callback secrets", ["admin"], `kv/metadata/carriers/${queue}-gone/callback`),
	get("read other secrets", [], `kv/data/carriers/${queue}/other`),
	get("read the logs' public key", ["api", "sender", "admin", "logreader"], "kv/data/logs/recipient"),
	post("change the logs' public key", ["admin"], "kv/data/logs/recipient", { data: {}, options: { cas: 0 } }),
	get("list the logs' private keys", ["canary", "logreader"], "kv/metadata/logs/identities?list=true"),
	get("read a private key of logs", ["logreader"], "kv/data/logs/identities/none"),
	post("add a private key of logs", ["admin"], "kv/data/logs/identities/age1test", { data: {} }),
	post("change a private key of logs", [], logIdentity, { data: {} }),
	remove("delete a private key of logs", [], logIdentity),
	get("list carriers", ["canary"], "kv/metadata/carriers?list=true"),
	remove("delete secrets", [], `kv/data/carriers/${queue}/send`),
	post("encrypt a webhook's secret", ["api"], "transit/encrypt/webhook", { plaintext: "AAAA" }),
	post("open a webhook's secret", ["sender"], "transit/decrypt/webhook", { ciphertext: "vault:v1:AAAA" }),
	post("make what a tenant signs texts by", ["api", "admin"], `${senders.data}/1`, { data: {}, options: { cas: 5 } }),
	post("change what a tenant signs texts by", [], `${senders.data}/2`, { data: {} }),
	get("read what a tenant signs texts by", ["api"], `${senders.data}/2`),
	get("list what a tenant signs texts by", ["api", "eraser", "admin", "canary"], `${senders.metadata}?list=true`),
	remove("delete what a tenant signs texts by", ["eraser"], `${senders.metadata}/3`),
	post("rotate the key of webhooks' secrets", [], `${keys}/webhook/rotate`),
	get("export the key of webhooks' secrets", [], "transit/export/encryption-key/webhook"),
	post("encrypt under the bench key", ["bench"], "transit/encrypt/bench", { plaintext: "AAAA" }),
	post("decrypt under the bench key", [], "transit/decrypt/bench", { ciphertext: "vault:v1:AAAA" }),
	post("issue a secret-id", [], "auth/approle/role/lethe-sender/secret-id"),
	get("read a role-id", [], "auth/approle/role/lethe-sender/role-id"),
	post("change a role", [], "auth/approle/role/lethe-sender", { token_policies: ["root"] }),
	post("change a policy", [], "sys/policies/acl/lethe-sender", { policy: "" }),
	post("make a token", [], "auth/token/create"),
	get("read mounts", [], "sys/mounts"),
	get("read audit devices", [], "sys/audit"),
	get("take a snapshot", [], "sys/storage/raft/snapshot"),
	post("allow deletion of a cohort key", ["eraser"], `${keys}/${doomed}/config`, { deletion_allowed: true }),
	remove("delete a cohort key", ["eraser"], `${keys}/${doomed}`),
];

const clients = new Map<Role, VaultClient>();

before(async () => {
	for (const role of roles) clients.set(role, await login(role));
	const api = clients.get("api") as VaultClient;
	const admin = clients.get("admin") as VaultClient;
	await admin.write(logIdentity, { data: {} });
	await admin.write(`${senders.data}/2`, { data: {} });
	await clients.get("bench")?.write(`${keys}/bench`, { type: "aes256-gcm96" });
	for (const key of [cohort, doomed]) await api.write(`${keys}/${key}`, { type: "aes256-gcm96" });
	for (const key of [tenantKey, doomedTenantKey]) await admin.write(`${keys}/${key}`, hmacKeySpec);
});

for (const role of roles) {
	test(`${role} may do what its policy grants and nothing else`, async () => {
		const client = clients.get(role) as VaultClient;
		const allowed: string[] = [];
		for (const act of acts) if ((await statusOf(() => perform(client, act))) !== 403) allowed.push(act.name);
		assert.deepEqual(
			allowed,
			acts.filter(({ by }) => by.includes(role)).map(({ name }) => name),
		);
	});
}

test("the issuer may do none of it", async () => {
	for (const { name, method, path, body } of acts) {
		if (path.startsWith("auth/approle/role/lethe-sender/")) continue;
		assert.equal((await rawRequest(issuerToken, method, path, body)).status, 403, name);
	}
});

test("the issuer gets secret-ids wrapped only, within bounds, and with no parameter of its own", async () => {
	const path = "auth/approle/role/lethe-sender/secret-id";
	const tooLong = { "X-Vault-Token": issuerToken, "X-Vault-Wrap-TTL": "2h" };
	const ask = (headers: Record<string, string>) =>
		fetch(`${process.env.VAULT_ADDR}/v1/${path}`, { method: "POST", headers });
	assert.equal((await rawRequest(issuerToken, "POST", path)).status, 403);
	assert.equal((await rawRequest(issuerToken, "POST", path, { num_uses: 0, ttl: "100h" })).status, 403);
	assert.equal((await ask(tooLong)).status, 403);
	assert.equal((await ask({ ...tooLong, "X-Vault-Wrap-TTL": "60s" })).status, 200);
});

test("a wrapped secret-id opens once, and what it holds logs in once", async () => {
	const { roleId, wrappedSecretId } = await credentialsOf("signer");
	const opened = await rawRequest(wrappedSecretId, "POST", "sys/wrapping/unwrap");
	assert.equal(opened.status, 200);
	assert.equal((await rawRequest(wrappedSecretId, "POST", "sys/wrapping/unwrap")).status, 400);
	const body = { role_id: roleId, secret_id: JSON.parse(opened.text).data.secret_id };
	assert.equal((await rawRequest("", "POST", "auth/approle/login", body)).status, 200);
	assert.equal((await rawRequest("", "POST", "auth/approle/login", body)).status, 400);
});

test("a secret-id does not log in as another role", async () => {
	const { wrappedSecretId } = await credentialsOf("api");
	const { roleId } = await credentialsOf("eraser");
	const opened = await rawRequest(wrappedSecretId, "POST", "sys/wrapping/unwrap");
	const body = { role_id: roleId, secret_id: JSON.parse(opened.text).data.secret_id };
	assert.equal((await rawRequest("", "POST", "auth/approle/login", body)).status, 400);
});

function perform(client: VaultClient, { method, path, body }: Act): Promise<unknown> {
	if (method === "GET") return client.read(path);
	return method === "DELETE" ? client.remove(path) : client.write(path, body);
}

function post(name: string, by: Role[], path: string, body: Record<string, unknown> = {}): Act {
	return { name, by, method: "POST", path, body };
}

function get(name: string, by: Role[], path: string): Act {
	return { name, by, method: "GET", path };
}

function remove(name: string, by: Role[], path: string): Act {
	return { name, by, method: "DELETE", path };
}
