// The shapes of people, their sessions and what they sign in with.

import { z } from "zod";
import { limits } from "../../../domain/limits.ts";
import { signInMethods } from "../../../domain/person.ts";
import { roles } from "../../../domain/roles.ts";
import { fields } from "../../schemas.ts";

const base64urlMax = 8 * 1024;
const base64url = z
	.string()
	.max(base64urlMax)
	.regex(/^[\w-]*$/, { error: "Not base64url." });
const login = z
	.string()
	.min(1)
	.max(limits.loginCharactersMax)
	.refine((text) => text.isWellFormed() && text.trim() !== "", { error: "A name." })
	.meta({ description: "A login name or an address; case does not matter." });
// Longer ones than can be right are refused before they cost anything.
const password = z
	.string()
	.min(1)
	.max(limits.passwordCharactersMax * 2);
const code = z
	.string()
	.regex(/^\d{6}$/, { error: "Six digits." })
	.meta({ description: "Of the authenticator app; each is taken once." });
const token = z.string().max(128);
const as = z
	.enum(["cookie", "token"])
	.default("cookie")
	.meta({ description: "`cookie` for a browser, `token` for a program that a person runs." });
const grantedRoles = z.array(z.enum(roles)).min(1).max(roles.length);
// None, of an approver for whom nobody has vouched.
const rolesThatCount = z.array(z.enum(roles)).max(roles.length);

/** A credential as browsers give it (WebAuthn Level 3, 5.1); the library reads the rest of it. */
const credential = { id: base64url, rawId: base64url, type: z.literal("public-key") };
const extras = {
	clientExtensionResults: z.looseObject({}).default({}),
	authenticatorAttachment: z.string().optional(),
};
const assertion = z.looseObject({
	...credential,
	...extras,
	response: z.looseObject({
		clientDataJSON: base64url,
		authenticatorData: base64url,
		signature: base64url,
		userHandle: base64url.optional(),
	}),
});
const attestation = z.looseObject({
	...credential,
	...extras,
	response: z.looseObject({
		clientDataJSON: base64url,
		attestationObject: base64url,
		transports: z.array(z.string().max(32)).max(16).optional(),
	}),
});

const session = z
	.object({
		id: z.string(),
		personId: z.string(),
		tenantId: z.string(),
		roles: rolesThatCount,
		method: z.enum(signInMethods),
		startedAt: z.string(),
		mfaAt: z.string().meta({ description: "When a second factor was last shown." }),
		endsAt: z.string(),
		idleEndsAt: z.string().meta({ description: "When it ends unless it is used before." }),
	})
	.meta({ id: "Session" });

export const peopleSchemas = {
	attestation,
	invitation: z
		.strictObject({
			login,
			name: z.string().max(limits.personNameCharactersMax).default(""),
			roles: grantedRoles,
		})
		.meta({ id: "PersonInvitation" }),
	enrolmentToken: z
		.object({
			id: z.string(),
			enrolmentToken: z.string().meta({ description: "Shown once; good for one enrolment." }),
			expiresAt: z.string(),
		})
		.meta({ id: "EnrolmentToken" }),
	person: z
		.object({
			id: z.string(),
			login: z.string().meta({ description: "Empty once the person has left." }),
			name: z.string(),
			roles: grantedRoles,
			createdAt: z.string(),
			createdBy: z.string(),
			rolesInForce: rolesThatCount.meta({
				description: "Until another person vouches for them, `admin`, `approver` and `compliance` are not among these.",
			}),
			enrolledAt: z.string().optional().meta({ description: "When they set up what they sign in with now." }),
			confirmedBy: z.string().optional().meta({ description: "Who vouched for them." }),
			state: z.enum(["invited", "enrolled", "ended"]),
			endedAt: z.string().optional(),
		})
		.meta({ id: "Person" }),
	roles: z.strictObject({ roles: grantedRoles }).meta({ id: "PersonRoles" }),
	confirmation: z
		.strictObject({
			enrolledAt: fields.time.meta({
				description: "When they enrolled, as the person's record says, and as they say when you ask them.",
			}),
		})
		.meta({ id: "PersonConfirmation" }),
	ending: z
		.strictObject({
			revokeKeys: z
				.boolean()
				.default(false)
				.meta({ description: "Revoke the API keys that they made or were shown, and those made with these." }),
		})
		.meta({ id: "PersonEnding" }),
	ended: z
		.object({
			liveKeys: z.array(z.string()).meta({
				description: "Ids of API keys that they made or were shown, and of those made with these, that still open.",
			}),
			revokedKeys: z.array(z.string()),
		})
		.meta({ id: "PersonEnded" }),
	signIn: z
		.union([
			z.strictObject({ login, password, code, as }),
			z.strictObject({ login, password, recoveryCode: z.string().min(1).max(64), as }),
			z.strictObject({ passkey: assertion, as }),
		])
		.meta({ id: "SignIn" }),
	session,
	signedIn: session
		.extend({ token: z.string().optional().meta({ description: "Only where it was asked for; shown once." }) })
		.meta({ id: "SignedIn" }),
	sessionPage: z
		.object({
			items: z.array(
				z.object({
					id: z.string(),
					method: z.enum(signInMethods),
					startedAt: z.string(),
					usedAt: z.string(),
					endsAt: z.string(),
					current: z.boolean(),
				}),
			),
		})
		.meta({ id: "SessionPage" }),
	enrolmentBegin: z.strictObject({ token }).meta({ id: "EnrolmentBegin" }),
	enrolmentOffer: z
		.object({
			personId: z.string(),
			login: z.string(),
			totp: z.object({ secret: z.string(), uri: z.string() }).meta({ description: "For an authenticator app." }),
			passkey: z.looseObject({}).meta({ description: "Options for `navigator.credentials.create`." }),
		})
		.meta({ id: "EnrolmentOffer" }),
	enrolment: z
		.union([z.strictObject({ token, password, code, as }), z.strictObject({ token, passkey: attestation, as })])
		.meta({ id: "Enrolment" }),
	enrolled: session
		.extend({
			token: z.string().optional(),
			recoveryCodes: z.array(z.string()).meta({ description: "Each stands in once for a code; shown once." }),
		})
		.meta({ id: "Enrolled" }),
	ssoBeginning: z
		.strictObject({
			issuer: z
				.string()
				.min(1)
				.max(limits.webhookUrlCharactersMax)
				.meta({ description: "The identity provider's issuer, as `lethe admin sso list` has it." }),
			fresh: z.boolean().default(false).meta({ description: "Have them show who they are anew, both factors." }),
			enrolmentToken: token.optional().meta({ description: "To enrol with this account, in place of a password." }),
			loopback: z
				.strictObject({ port: z.int().min(1024).max(65_535), challenge: base64url.length(43) })
				.optional()
				.meta({
					description: "A program that listens on 127.0.0.1 (RFC 8252), and the S256 challenge of its verifier.",
				}),
		})
		.meta({ id: "SsoBeginning" }),
	ssoOffer: z.object({ url: z.string() }).meta({ id: "SsoOffer" }),
	ssoCompletion: z
		.strictObject({ code: base64url.max(64), verifier: base64url.min(43).max(128) })
		.meta({ id: "SsoCompletion" }),
	options: z.looseObject({}).meta({ description: "For the browser's credentials API." }),
	newPassword: z.strictObject({ password }).meta({ id: "NewPassword" }),
	recoveryCodes: z.object({ recoveryCodes: z.array(z.string()) }).meta({ id: "RecoveryCodes" }),
	passkeyPage: z
		.object({ items: z.array(z.object({ id: z.string(), addedAt: z.string() })) })
		.meta({ id: "PasskeyPage" }),
};
