// The groups of the API's operations, in the order in which `/docs` shows them: what most come for stands first.

export const tags: { name: string; description: string }[] = [
	{ name: "messages", description: "Send a message, and see what became of it." },
	{ name: "batches", description: "Up to 500 messages at once, each with a fate of its own." },
	{ name: "templates", description: "Texts that declare what may go into them." },
	{ name: "verifications", description: "One-time codes." },
	{ name: "webhooks", description: "Who is told of messages' states." },
	{ name: "consents", description: "What recipients have agreed to." },
	{ name: "opt-outs", description: "Who is not to be written to." },
	{ name: "recipient-keys", description: "Recipients' keys for end-to-end encrypted texts." },
	{ name: "subject-requests", description: "Access and erasure for the people behind the numbers." },
	{ name: "holds", description: "What must not be erased for now." },
	{ name: "certificates", description: "Proofs of erasure, and the public keys that check them." },
	{ name: "evidence", description: "The log of what was done, and its proofs." },
	{ name: "policies", description: "The rules in force, and proposals to change them." },
	{ name: "access", description: "API keys and access tokens." },
	{ name: "people", description: "Who signs in, with what, and as which role." },
	{ name: "operations", description: "Whether it runs, and what wants attention." },
	{ name: "callbacks", description: "Where carriers bring receipts and what recipients write." },
];
