// One-time codes: made here, sent as any message is, kept as a keyed hash, and guessed at only so often.

import { randomInt } from "node:crypto";
import type { TenantDocument } from "../adapters/mongo/models.ts";
import { bindToOrigin, codeText } from "../domain/codeText.ts";
import { LetheError } from "../domain/errors.ts";
import type { ActType } from "../domain/evidence.ts";
import { limits } from "../domain/limits.ts";
import { Plaintext } from "../domain/plaintext.ts";
import { type CheckOutcome, check, issue, type Verification, withdraw } from "../domain/verification.ts";
import { type AcceptDeps, createAccept } from "./accept.ts";
import { createCompose } from "./compose.ts";
import { countOrRefuse, tooOften } from "./countOrRefuse.ts";
import type { ApiDeps } from "./deps.ts";
import { isAmong } from "./isAmong.ts";
import type { Principal } from "./plugins/auth.ts";
import { actOf } from "./plugins/evidence.ts";
import { readRecipient } from "./recipient.ts";
import { readDuration, type VerificationInput } from "./schemas.ts";
import { createSubjects } from "./subjects.ts";
import { createTenants } from "./tenants.ts";

export type VerifyDeps = AcceptDeps &
	Pick<ApiDeps, "evidence" | "requestCounts"> & {
		store: { verifications: Pick<ApiDeps["store"]["verifications"], "change" | "findAny" | "findByCode"> };
	};

/** `again`: an earlier run of the request was cut off before it answered. */
type Made = { id: string; messageId: string; again: boolean };
type Guess = { outcome: CheckOutcome; record: Verification };

// Of several that change one record at once each round lets one through, and after the last guess none.
const roundsMax = 4 * limits.verificationAttemptsMax;
const hourSeconds = 3600;
const dataClasses: VerificationClasses = ["contact", "otp_secret"];
type VerificationClasses = ("contact" | "otp_secret")[];

export function createVerify(deps: VerifyDeps) {
	const { readActive } = createTenants(deps);
	const records = createRecords(deps);
	const { send, foresee } = createCodeSender(deps);
	const writeText = createCodeText(deps);

	/** Whether a message may stand although its acceptance was lost: its code is on its way then, and is to be right. */
	async function mayBeSent(error: unknown, messageId: string): Promise<boolean> {
		if (!(error instanceof LetheError) || error.code !== "outcome_unknown") return false;
		const looking = deps.store.messages.find(messageId);
		return looking.then((message) => message !== undefined).catch(() => true);
	}

	return {
		/**
		 * Sends a code; its id and its message's are told. Answers alike whether or not what is on record of the number lets it be sent.
		 * @throws LetheError rate_limited, with the seconds to wait; and as accepting a message does
		 */
		async start(principal: Principal, input: VerificationInput, { id, messageId, again }: Made): Promise<Verification> {
			const tenant = await readActive(principal);
			const { number } = readRecipient(input.to, "/to");
			const standing = again ? await deps.store.verifications.findByCode(id) : undefined;
			// An earlier run that had not sent its code yet sends another, under the same ids.
			if (standing && (await deps.store.messages.find(messageId))) return standing;
			const code = String(randomInt(10 ** input.digits)).padStart(input.digits, "0");
			const body = await writeText(tenant, input, code);
			const mac = await deps.hmac.mac("code", undefined, `${id} ${code}`);
			const expiresAt = deps.clock() + readDuration(input.validFor);
			const asked = { principal, input, body, messageId };
			const own = { id, mac, digits: input.digits, expiresAt };
			const { issued, known } = await records.issue(tenant, number, own, () => foresee(asked, tenant));
			const enter = (type: "verification_issued" | "verification_withheld", code?: string) =>
				deps.evidence.append([actOf(principal, type, { about: id, ...(code === undefined ? {} : { code }) })]);
			try {
				await enter("verification_issued");
				const withheldFor = await send(asked);
				if (withheldFor !== undefined) await enter("verification_withheld", withheldFor);
			} catch (error) {
				if (!(await mayBeSent(error, messageId))) await records.takeBack(issued, known);
				throw error;
			}
			return issued;
		},

		/**
		 * What one guess comes to; each is counted exactly, however many come at once, and entered before it counts: of several
		 * right ones at once each may be entered as approved, though one is. `request`: whose it is.
		 * @throws LetheError not_found
		 */
		async guess(principal: Principal, id: string, code: Plaintext, request: string): Promise<Guess> {
			const macs = (await deps.hmac.allMacs("code", undefined, `${id} ${code.reveal()}`)).map(({ mac }) => mac);
			let entered: ActType | undefined;
			for (let round = 0; round < roundsMax; round++) {
				const known = await records.require(principal, id);
				const isRight = isAmong(macs, known.current.mac?.mac);
				const { outcome, record } = check(known, id, isRight, { now: deps.clock(), request });
				if (!record) return { outcome, record: known };
				const type = outcome === "approved" ? "verification_approved" : "verification_failed";
				if (type !== entered) await deps.evidence.append([actOf(principal, type, { about: id })]);
				entered = type;
				if (await deps.store.verifications.change(known, record)) return { outcome, record };
			}
			throw new LetheError("store_unavailable", { cause: "lost every race" });
		},

		/** The record that a code is of. @throws LetheError not_found, for another tenant's too */
		require: records.require,
	};
}

function createRecords(deps: VerifyDeps) {
	const { verifications } = deps.store;
	const subjects = createSubjects(deps);

	/** Codes for numbers that have had one within the day count against their tenant. */
	async function limitTenant({ _id, verification }: TenantDocument): Promise<void> {
		const { resendsPerHour: requests = limits.verificationResendsPerHourMax } = verification ?? {};
		const limit = { name: "verification-resends", requests, seconds: hourSeconds };
		await countOrRefuse(deps, limit, _id);
	}

	return {
		/**
		 * Takes the code down before it is sent: nobody gets one that is not. `foresee` is asked before it takes the place of
		 * another, which may be on its way and right. @throws LetheError rate_limited, and what `foresee` does
		 */
		async issue(
			tenant: TenantDocument,
			number: Plaintext,
			code: Parameters<typeof issue>[2],
			foresee: () => Promise<void>,
		): Promise<{ issued: Verification; known: Verification | undefined }> {
			const { macs } = await subjects.identify(tenant._id, number);
			const ids = macs.map((mac) => deps.ids.derive("verificationNumber", `${tenant._id} ${mac}`));
			const known = await verifications.findAny(ids);
			const place = { _id: known?._id ?? (ids[0] as string), tenantId: tenant._id };
			const now = deps.clock();
			const issued = issue(known, place, code, now);
			if ("retryAt" in issued) throw tooOften(issued.retryAt - now);
			// What is refused anyway uses nothing up.
			if (known) await foresee();
			if (known) await limitTenant(tenant);
			if (await verifications.change(known, issued.record)) return { issued: issued.record, known };
			throw tooOften(limits.verificationCooldownMs);
		},
		/** Nothing was sent: that it was to be counts for nothing, and what stood before stands again. */
		async takeBack(issued: Verification, known: Verification | undefined): Promise<void> {
			await verifications.change(issued, withdraw(issued, known)).catch(() => false);
		},
		async require({ tenantId }: Principal, id: string): Promise<Verification> {
			const found = await verifications.findByCode(id);
			if (found?.tenantId !== tenantId) throw new LetheError("not_found");
			return found;
		},
	};
}

function createCodeText(deps: VerifyDeps) {
	const compose = createCompose(deps);

	/** @throws LetheError invalid_request for a host that is not the tenant's, or a template that takes no code */
	return async function writeText(tenant: TenantDocument, input: VerificationInput, code: string): Promise<Plaintext> {
		const { host, template, locale } = input;
		const { hosts = [], name = tenant.name } = tenant.verification ?? {};
		if (host !== undefined && !hosts.includes(host)) {
			const detail = "Not one of the tenant's: an administrator sets them with `lethe admin tenant codes --host`.";
			throw new LetheError("invalid_request", { errors: [{ pointer: "/host", detail }] });
		}
		const variables = { code: Plaintext.text(code) };
		const asked = { to: input.to, category: "otp", deliver: "auto", dataClasses, template, variables } as const;
		const filled = template === undefined ? undefined : await compose(tenant._id, asked).catch(refuseTemplate);
		const text = filled?.body.reveal() ?? codeText(locale, code, name);
		return Plaintext.text(host === undefined ? text : bindToOrigin(text, host, code));
	};
}

/** Whoever asks for a code gives neither variables nor a category: what does not fit is the template. */
function refuseTemplate(error: unknown): never {
	const isFound = error instanceof LetheError && error.errors.every(({ pointer }) => pointer !== "/template");
	if (!isFound || error.code !== "invalid_request") throw error;
	const detail =
		"Its only variable must be `code`, with room for as many digits, and its category `otp`, if it has one.";
	throw new LetheError("invalid_request", { errors: [{ pointer: "/template", detail }] });
}

type Sending = { principal: Principal; input: VerificationInput; body: Plaintext; messageId: string };

function createCodeSender(deps: VerifyDeps) {
	const { accept, foresee } = createAccept(deps);

	return {
		/** @throws LetheError for what any number would be refused for, as far as that can be told before it counts */
		foresee: ({ principal, ...asked }: Sending, tenant: TenantDocument) =>
			foresee(toMessageInput(asked), principal, tenant),

		/**
		 * Undefined once it is accepted; otherwise the rule by which what is on record of the number forbids it. Whoever asks
		 * for a code does not learn that: what any number would be refused for is told, and nothing else.
		 */
		async send({ principal, messageId, ...asked }: Sending): Promise<string | undefined> {
			const inputs = [toMessageInput(asked)];
			const { items } = await accept({ principal, inputs, headId: messageId, discreet: true });
			const error = items[0] && "error" in items[0] ? items[0].error : undefined;
			if (!error) return undefined;
			const { withheldFor } = error.extra;
			if (typeof withheldFor !== "string") throw error;
			return withheldFor;
		},
	};
}

function toMessageInput({ input, body }: Pick<Sending, "input" | "body">) {
	const { digits: otpDigits, validFor: _code, locale: _locale, host: _host, template: _template, ...own } = input;
	const validFor = `PT${Math.floor(Math.min(readDuration(input.validFor), limits.validForOtpDefaultMs) / 1000)}S`;
	const fixed = { category: "otp", deliver: "auto", dataClasses, validFor, context: { otpDigits } } as const;
	return { ...own, ...fixed, body };
}
