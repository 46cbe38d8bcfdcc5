// What each process may ask of Vault, as data: one row a role, deny for all that is not named.

type Capability = "create" | "read" | "update" | "delete" | "list";

type Grant = {
	capabilities: Capability[];
	/** Only these parameters, and where values are listed only those values. */
	allowed_parameters?: Record<string, unknown[]>;
	denied_parameters?: Record<string, unknown[]>;
	/** A minimum makes response wrapping mandatory. */
	min_wrapping_ttl?: string;
	max_wrapping_ttl?: string;
};

type Policy = Record<string, Grant>;

/** Mounts and key names that the adapter and the policies agree on. */
export const names = {
	transit: "transit",
	kv: "kv",
	certificateKey: "certificate",
	evidenceKey: "evidence",
	tokenKey: "token",
	canaryKey: "canary",
	receiptKey: "receipt",
	webhookKey: "webhook",
	benchKey: "bench",
} as const;

/** Roles that a process logs in as; in Vault each is called `lethe-<role>`. */
export const roles = [
	"api",
	"sender",
	"eraser",
	"exporter",
	"rewrapper",
	"signer",
	"admin",
	"bench",
	"canary",
	"logreader",
] as const;
export type Role = (typeof roles)[number];

const wrappingTtlMax = "15m";

// Vault's `default` policy grants more than a process needs, so these three stand in for it.
const ownToken: Policy = {
	"auth/token/lookup-self": { capabilities: ["read"] },
	"auth/token/renew-self": { capabilities: ["update"] },
	"auth/token/revoke-self": { capabilities: ["update"] },
};

const readPublicKeys: Policy = {
	"transit/keys/certificate": { capabilities: ["read"] },
	"transit/keys/evidence": { capabilities: ["read"] },
	"transit/keys/token": { capabilities: ["read"] },
	"transit/keys/canary": { capabilities: ["read"] },
	"transit/keys/receipt": { capabilities: ["read"] },
};
const readWitness: Policy = { "kv/data/evidence/checkpoint": { capabilities: ["read"] } };

// Every process writes its log for this key; the private half is the logreader's alone.
const readLogRecipient: Policy = { "kv/data/logs/recipient": { capabilities: ["read"] } };

// Each process asks at its start how old the store may be.
const readEpoch: Policy = { "kv/data/ledger/+/epoch": { capabilities: ["read"] } };
// What no restore may undo is written down before it is done; nobody but an administrator reads it back.
const writeLedger: Policy = { "kv/data/ledger/+/+/+/+": { capabilities: ["create", "update"] } };

// What `…/config` and `…/trim` take to end old versions of a key.
const endVersions = { min_decryption_version: [], min_encryption_version: [], min_available_version: [] };
const endSigning: Grant = { capabilities: ["update"], allowed_parameters: { min_encryption_version: [] } };

const listSenders: Policy = {
	"kv/metadata/senders/+": { capabilities: ["list"] },
	"kv/metadata/senders/+/": { capabilities: ["list"] },
};

// Encrypting makes the key of a tenant's people when it is not there yet, and nothing but that.
const sealPerson: Grant = {
	capabilities: ["create", "update"],
	allowed_parameters: { plaintext: [], associated_data: [] },
};

export const policies: Record<Role | "issuer", Policy> = {
	api: {
		...ownToken,
		...readLogRecipient,
		...readEpoch,
		...writeLedger,
		...readPublicKeys,
		...readWitness,
		// The glob also covers what lies below a key, `…/config` above all: the listed parameters keep that out of reach.
		"transit/keys/cohort-*": { capabilities: ["create", "update"], allowed_parameters: { type: ["aes256-gcm96"] } },
		"transit/datakey/plaintext/cohort-*": { capabilities: ["update"] },
		// What secure links open, and nothing else of a message: without the other half of a link's key it reads as noise.
		"transit/decrypt/cohort-lnk_*": { capabilities: ["update"] },
		"transit/export/hmac-key/hmac-*": { capabilities: ["read"] },
		"transit/keys/hmac-*": { capabilities: ["read"] },
		"transit/sign/token": { capabilities: ["update"] },
		"transit/sign/receipt": { capabilities: ["update"] },
		"kv/data/carriers/+/callback": { capabilities: ["read"] },
		// What it shows to tenants' identity providers.
		"kv/data/identity-providers/+": { capabilities: ["read"] },
		// Of people who sign in: their names and the secrets of their codes, never a message's.
		"transit/encrypt/people-*": sealPerson,
		"transit/decrypt/people-*": { capabilities: ["update"] },
		// What a tenant signs texts by: made once, and never written over.
		"kv/data/senders/+/+": { capabilities: ["create", "read"] },
		...listSenders,
		// Makes secrets of webhooks, and can't read them back.
		"transit/encrypt/webhook": { capabilities: ["update"] },
	},
	sender: {
		...ownToken,
		...readLogRecipient,
		...readEpoch,
		"transit/decrypt/cohort-*": { capabilities: ["update"] },
		"kv/data/carriers/+/send": { capabilities: ["read"] },
		"transit/decrypt/webhook": { capabilities: ["update"] },
	},
	eraser: {
		...ownToken,
		...writeLedger,
		"kv/data/ledger/+/epoch": { capabilities: ["create", "read", "update"] },
		"kv/metadata/ledger/+/+/+/+": { capabilities: ["delete"] },
		"transit/keys/cohort-*": {
			capabilities: ["read", "update", "delete"],
			allowed_parameters: { deletion_allowed: [true] },
		},
		// The pseudonyms of a tenant that has left; the keys that every tenant shares are out of reach.
		"transit/keys/hmac-subject-*": {
			capabilities: ["read", "update", "delete"],
			allowed_parameters: { deletion_allowed: [true] },
		},
		"kv/metadata/senders/+/+": { capabilities: ["delete"] },
		"kv/metadata/identity-providers/+": { capabilities: ["delete"] },
		...listSenders,
		// And of its people.
		"transit/keys/people-*": {
			capabilities: ["read", "update", "delete"],
			allowed_parameters: { deletion_allowed: [true] },
		},
	},
	// Reads what is stored for whom it is exported to, and nothing of what is needed to send.
	exporter: {
		...ownToken,
		"transit/decrypt/cohort-*": { capabilities: ["update"] },
	},
	// Moves data keys to cohorts that policies of today ask for, and rotates cohorts' keys: opening what they wrap is the
	// sender's right, which the worker has.
	rewrapper: {
		...ownToken,
		// Below a key that is `rotate`, which takes no parameter, and the end of its old versions.
		"transit/keys/cohort-*": {
			capabilities: ["create", "read", "update"],
			allowed_parameters: { type: ["aes256-gcm96"], ...endVersions },
		},
		"transit/rewrap/cohort-*": { capabilities: ["update"] },
		"transit/datakey/plaintext/cohort-*": { capabilities: ["update"] },
	},
	signer: {
		...ownToken,
		...readPublicKeys,
		"transit/sign/certificate": { capabilities: ["update"] },
		"transit/sign/evidence": { capabilities: ["update"] },
		"kv/data/evidence/checkpoint": { capabilities: ["create", "read", "update"] },
		"kv/data/evidence/succession": { capabilities: ["read"] },
	},
	admin: {
		...ownToken,
		"kv/data/ledger/+/+/+/+": { capabilities: ["create", "read", "update"] },
		"kv/data/ledger/+/epoch": { capabilities: ["create", "read", "update"] },
		"kv/metadata/ledger/*": { capabilities: ["list", "delete"] },
		...readPublicKeys,
		...readWitness,
		// People judge what a restore has lost; the signer goes by it.
		"kv/data/evidence/succession": { capabilities: ["create", "read", "update"] },
		"transit/export/hmac-key/hmac-api-key": { capabilities: ["read"] },
		"transit/export/hmac-key/hmac-person": { capabilities: ["read"] },
		"transit/encrypt/people-*": sealPerson,
		"transit/keys": { capabilities: ["list"] },
		"transit/keys/certificate/rotate": { capabilities: ["update"] },
		"transit/keys/evidence/rotate": { capabilities: ["update"] },
		"transit/keys/token/rotate": { capabilities: ["update"] },
		"transit/keys/canary/rotate": { capabilities: ["update"] },
		"transit/keys/receipt/rotate": { capabilities: ["update"] },
		"transit/keys/cohort-*": { capabilities: ["read", "update"], allowed_parameters: endVersions },
		// Only that they sign: what shows a public key, and what lets a version open things, is out of reach.
		"transit/keys/certificate/config": endSigning,
		"transit/keys/evidence/config": endSigning,
		"transit/keys/token/config": endSigning,
		"transit/keys/canary/config": endSigning,
		"transit/keys/receipt/config": endSigning,
		"transit/rewrap/cohort-*": { capabilities: ["update"] },
		"transit/keys/hmac-*": {
			capabilities: ["create", "update", "read"],
			allowed_parameters: { type: ["aes256-gcm96"], exportable: [true], ...endVersions },
		},
		// Makes newer keys that a tenant signs texts by, and can read none.
		"kv/data/senders/+/+": { capabilities: ["create"] },
		...listSenders,
		// Makes a new pair, and can read no private half, not even its own.
		"kv/data/logs/recipient": { capabilities: ["create", "read", "update"] },
		"kv/data/logs/identities/+": { capabilities: ["create"] },
		"kv/data/carriers/+/send": { capabilities: ["create", "update"] },
		"kv/data/carriers/+/callback": { capabilities: ["create", "update"] },
		// What they are called, and not what they are; and their end.
		"kv/subkeys/carriers/+/send": { capabilities: ["read"] },
		"kv/subkeys/carriers/+/callback": { capabilities: ["read"] },
		"kv/metadata/carriers/+/send": { capabilities: ["delete"] },
		"kv/metadata/carriers/+/callback": { capabilities: ["delete"] },
		"kv/data/identity-providers/+": { capabilities: ["create", "update"] },
		"kv/metadata/identity-providers/+": { capabilities: ["delete"] },
	},
	// Measures what one Vault call a message would cost, under a key that protects nothing.
	bench: {
		...ownToken,
		"transit/keys/bench": { capabilities: ["create", "update"], allowed_parameters: { type: ["aes256-gcm96"] } },
		"transit/encrypt/bench": { capabilities: ["update"] },
	},
	// Searches for what must not be there: names and metadata only, no key and no secret; writes its own controls, and signs
	// what it found by a key that signs nothing else.
	canary: {
		...ownToken,
		"transit/sign/canary": { capabilities: ["update"] },
		"transit/keys/canary": { capabilities: ["read"] },
		"transit/keys": { capabilities: ["list"] },
		"kv/metadata/*": { capabilities: ["list", "read"] },
		"kv/metadata/canary/*": { capabilities: ["create", "update", "read", "delete", "list"] },
	},
	// Opens logs, and nothing else.
	logreader: {
		...ownToken,
		"kv/metadata/logs/identities": { capabilities: ["list"] },
		"kv/metadata/logs/identities/": { capabilities: ["list"] },
		"kv/data/logs/identities/+": { capabilities: ["read"] },
		...readLogRecipient,
	},
	issuer: {
		...ownToken,
		...Object.assign({}, ...roles.map(issueTo)),
	},
};

function issueTo(role: Role): Policy {
	return {
		[`auth/approle/role/lethe-${role}/role-id`]: { capabilities: ["read"] },
		[`auth/approle/role/lethe-${role}/secret-id`]: {
			capabilities: ["create", "update"],
			denied_parameters: { "*": [] },
			min_wrapping_ttl: "1s",
			max_wrapping_ttl: wrappingTtlMax,
		},
	};
}
