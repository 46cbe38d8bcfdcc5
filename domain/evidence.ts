// The words of the evidence log: the acts it knows, what an entry says of one, and how entries are kept.

/** Of a message: written on its document by the update that does the act, integrated into the log later. */
const messageActs = [
	"accepted",
	"deferred",
	"queued",
	"sending",
	"submitted",
	"delivered",
	"undelivered",
	"expired",
	"cancelled",
	"rejected",
	"unknown",
	"decided",
	"released",
	"rerouted",
	"ambiguous",
	"receipt",
	"retimed",
	"erased",
	"kept",
	"redaction_asked",
	"redacted",
	"redaction_given_up",
	"certified",
	"link_opened",
	"link_read",
	"link_refused",
	"link_closed",
] as const;

/** Of people and processes: in the log before they are done, or answered. */
const otherActs = [
	"process_started",
	"stores_prepared",
	"store_restored",
	"tenant_created",
	"tenant_changed",
	"template_changed",
	"tenant_suspended",
	"tenant_resumed",
	"tenant_leaving",
	"tenant_exported",
	"tenant_left",
	"send_queue_changed",
	"send_queue_paused",
	"send_queue_drained",
	"send_queue_resumed",
	"send_queue_emptied",
	"send_queue_removed",
	"api_key_created",
	"api_key_revoked",
	"api_key_rotated",
	"credential_alert",
	"token_issued",
	"issuer_trusted",
	"issuer_removed",
	"identity_provider_changed",
	"identity_provider_removed",
	"person_invited",
	"person_enrolled",
	"person_changed",
	"person_ended",
	"signed_in",
	"sign_in_failed",
	"session_ended",
	"credential_added",
	"credential_removed",
	"message_revealed",
	"webhook_endpoint_created",
	"webhook_endpoint_challenged",
	"webhook_endpoint_verified",
	"webhook_endpoint_enabled",
	"webhook_endpoint_disabled",
	"webhook_endpoint_deleted",
	"webhook_secret_rotated",
	"webhook_replayed",
	"verification_issued",
	"verification_withheld",
	"verification_approved",
	"verification_failed",
	"consent_recorded",
	"consent_withdrawn",
	"opt_out_recorded",
	"opt_out_lifted",
	"recipient_key_registered",
	"recipient_key_revoked",
	"hold_placed",
	"hold_approved",
	"hold_rejected",
	"hold_released",
	"request_recorded",
	"request_acknowledged",
	"request_identified",
	"request_decided",
	"request_extended",
	"request_exported",
	"request_closed",
	"request_executed",
	"record_erased",
	"orphan_discarded",
	"page_erased",
	"key_rotated",
	"key_version_ended",
	"cohort_key_destroyed",
	"subject_key_destroyed",
	"policy_proposed",
	"policy_checked",
	"policy_simulated",
	"policy_approved",
	"policy_published",
	"policy_withdrawn",
	"record_read",
	"searched",
	"logs_read",
	"canary_run",
	"evidence_read",
	"evidence_exported",
	"evidence_succeeded",
	"denied",
] as const;

export const actTypes = [...messageActs, ...otherActs] as const;
export type ActType = (typeof actTypes)[number];

/** Who acts where it is neither an API key nor a person: Lethe's own processes, the holders of the admin and the logreader role, a recipient, a carrier. */
export const actors = ["engine", "admin", "logreader", "recipient", "carrier"] as const;

/** A word: no blank, and no run of digits that a phone number would need, however it is divided. */
const wordPattern = /^(?!.*\d(?:[._:+@-]*\d){6})[A-Za-z][\w.:+@-]{0,95}$/;

/** Whether a text may stand in an entry as its code. */
export function isWord(text: string): boolean {
	return wordPattern.test(text);
}

/** One act. Opaque ids and words only: the log outlives what it tells of. */
export type Act = {
	type: ActType;
	/** Why, or to what: a word of a vocabulary. */
	code?: string;
	tenantId?: string;
	/** Id of what it was done to. */
	about?: string;
	/** An API key's or a person's id, or one of `actors`. */
	by?: string;
	/** Of a message's attempts, which. */
	attempt?: number;
	/** Of the log whose successor this one is from here on: its name, and what its last checkpoint covers. `root`: base64. */
	predecessor?: { origin: string; size: number; root: string };
};

/**
 * What the id of an act follows from that a message's document carries: entered again, it is known.
 * @param at epoch ms
 * @param place its position there. A certificate's tells nothing: who loses the race to certify has entered what the winner
 * has, at a place that is another's by then
 */
export function saidOf({ about, type, code, attempt, by }: Act, at: number, place: number): string {
	const where = type === "certified" ? "" : place;
	return [about, where, at, type, code ?? "", attempt ?? "", by ?? ""].join("\n");
}

/** An act in the log. `at`: when it was done, RFC 3339 UTC with milliseconds. */
export type Entry = Act & { id: string; at: string };

/** Entries in the order of the log, as many as were integrated at once. */
export type Bundle = {
	/** Index of its first entry, in sixteen digits: whoever integrates, each index is given once. */
	_id: string;
	/** Canonical JSON, as hashed. */
	entries: string[];
	/** Ids of what its entries are about: a message's are found by it, and so a repeat, which has the id of its entry. */
	about: string[];
	/** Whose entries it has; `all` where one belongs to no tenant. */
	tenants: string[];
	/** The hashes of the tree's edge after its last entry. */
	frontier: Uint8Array;
	/** When it was integrated, epoch ms; never less than the one before. */
	at: number;
};

/** A bundle's tenant where an entry belongs to none. */
export const everyTenant = "all";

/** So many entries a bundle holds at most: the one that holds an index begins less than that before it. */
export const bundleEntriesMax = 256;

/** An index as bundles are named by it. */
export function indexText(index: number): string {
	return String(index).padStart(16, "0");
}

/** Index of a bundle's first entry, and of the one after its last. */
export function spanOf({ _id, entries }: Pick<Bundle, "_id" | "entries">): { start: number; end: number } {
	return { start: Number(_id), end: Number(_id) + entries.length };
}

/**
 * How the log stands to what its witnesses saw. `ahead`: it has grown since, as it does between two checkpoints.
 * `behind`: entries are gone. `forked`: it is another log, or the witness holds what nobody has signed. `unwitnessed`:
 * checkpoints were published, and no witness has any.
 */
export type Standing = "behind" | "equal" | "ahead" | "forked" | "unwitnessed";

/** Whether the log holds all that its witnesses saw. */
export function isSound(standing: Standing): boolean {
	return standing === "equal" || standing === "ahead";
}

/** Whether two notes are of logs of one name, as their first lines say. */
export function isOfOneLog(note: string, other: string): boolean {
	return note.split("\n", 1)[0] === other.split("\n", 1)[0];
}
