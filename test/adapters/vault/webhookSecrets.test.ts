// Secrets of webhooks on a real Vault: the API makes what it can't read, the sender opens it where it belongs.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { createWebhookSecrets } from "../../../adapters/vault/webhookSecrets.ts";
import { login, type VaultClient } from "./helper.ts";

let api: VaultClient;
let sender: VaultClient;
const place = { endpointId: "whe_a", secretId: "whs_a" };

before(async () => {
	[api, sender] = [await login("api"), await login("sender")];
});

test("what the API made the sender opens, and nobody opens it as another endpoint's", async () => {
	const { secret, sealed } = await createWebhookSecrets({ vault: api }).create(place);
	const other = await createWebhookSecrets({ vault: api }).create(place);
	assert.notEqual(secret.reveal(), other.secret.reveal());
	const secrets = createWebhookSecrets({ vault: sender });
	assert.equal((await secrets.open(place, sealed)).reveal(), secret.reveal());
	const cause = "not_authentic";
	await assert.rejects(secrets.open({ ...place, endpointId: "whe_b" }, sealed), { code: "internal", cause });
	await assert.rejects(secrets.open(place, `${sealed.slice(0, -4)}AAA=`), { code: "internal", cause });
	await assert.rejects(createWebhookSecrets({ vault: api }).open(place, sealed), { code: "internal" });
	await assert.rejects(secrets.create(place), { code: "internal" });
});
