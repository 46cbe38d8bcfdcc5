// Passkeys (WebAuthn) with user verification, which are two factors in one: the device, and what unlocks it.

import {
	type AuthenticationResponseJSON,
	generateAuthenticationOptions,
	generateRegistrationOptions,
	type RegistrationResponseJSON,
	verifyAuthenticationResponse,
	verifyRegistrationResponse,
} from "@simplewebauthn/server";
import type { PersonMacs } from "../../adapters/personMacs.ts";
import type { Sessions } from "../../adapters/redis/sessions.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Passkey, Person } from "../../domain/person.ts";

export type { AuthenticationResponseJSON, RegistrationResponseJSON };
export type Passkeys = ReturnType<typeof createPasskeys>;

type PasskeysDeps = {
	clock: () => number;
	/** Their origin, and the relying party's id, are the public URL's. */
	publicUrl: string;
	ids: { derive: (kind: "passkey", text: string) => string };
	sessions: Pick<Sessions, "putChallenge" | "takeChallenge">;
	macs: PersonMacs;
};

// Ed25519, ECDSA and RSA, as every device knows one of (IANA COSE Algorithms).
const algorithms = [-8, -7, -257];

/** Challenges are handed out once and taken once. All throw LetheError sessions_unavailable | keys_unavailable. */
export function createPasskeys({ clock, publicUrl, ids, sessions, macs }: PasskeysDeps) {
	const { origin, hostname: rpID } = new URL(publicUrl);

	async function remember<Options extends { challenge: string }>(options: Options): Promise<Options> {
		await sessions.putChallenge(await macs.one("challenge", options.challenge), limits.challengeLifeMs);
		return options;
	}
	async function isOurs(challenge: string): Promise<boolean> {
		return (await sessions.takeChallenge(await macs.all("challenge", challenge))) !== undefined;
	}

	return {
		/** For a sign-in that names nobody: the device knows whom it can speak for. */
		signInOptions: async () =>
			remember(
				await generateAuthenticationOptions({ rpID, userVerification: "required", timeout: limits.challengeLifeMs }),
			),

		/** To add one to a person; `login` and `name` are shown by the device and kept there. */
		addingOptions: async ({ _id, passkeys }: Person, { login, name }: { login: string; name: string }) =>
			remember(
				await generateRegistrationOptions({
					...{ rpID, rpName: "Lethe", userName: login, userDisplayName: name, attestationType: "none" },
					userID: new Uint8Array(Buffer.from(_id)),
					timeout: limits.challengeLifeMs,
					supportedAlgorithmIDs: algorithms,
					excludeCredentials: passkeys.map(({ credentialId: id, transports }) => ({ id, transports })),
					authenticatorSelection: { residentKey: "required", userVerification: "required" },
				}),
			),

		/** The credential that a device made. @throws LetheError sign_in_failed when anything of it does not hold */
		async add(response: RegistrationResponseJSON): Promise<Passkey> {
			const { verified, registrationInfo } = await refusing(() =>
				verifyRegistrationResponse({
					...{ response, expectedOrigin: origin, expectedRPID: rpID, requireUserVerification: true },
					expectedChallenge: isOurs,
					supportedAlgorithmIDs: algorithms,
				}),
			);
			if (!verified) throw new LetheError("sign_in_failed");
			const { id: credentialId, publicKey, counter } = registrationInfo.credential;
			return {
				id: ids.derive("passkey", credentialId),
				credentialId,
				publicKey: Buffer.from(publicKey).toString("base64url"),
				counter,
				transports: (response.response.transports ?? []).filter((name) => /^[a-z-]{1,16}$/.test(name)).slice(0, 8),
				addedAt: clock(),
			};
		},

		/** How often the credential has signed by now. @throws LetheError sign_in_failed when anything of it does not hold */
		async verify(response: AuthenticationResponseJSON, passkey: Passkey | undefined): Promise<number> {
			const { credentialId: id = "", publicKey = "", counter = 0 } = passkey ?? {};
			const credential = { id, publicKey: new Uint8Array(Buffer.from(publicKey, "base64url")), counter };
			const { verified, authenticationInfo } = await refusing(() =>
				verifyAuthenticationResponse({
					...{ response, credential, expectedOrigin: origin, expectedRPID: rpID, requireUserVerification: true },
					expectedChallenge: isOurs,
				}),
			);
			if (!verified || !passkey) throw new LetheError("sign_in_failed");
			return authenticationInfo.newCounter;
		},
	};
}

/** Whose credential it says that it is; undefined when it says nothing that could be so. */
export function passkeyOwner({ response: { userHandle } }: AuthenticationResponseJSON): string | undefined {
	return userHandle === undefined ? undefined : Buffer.from(userHandle, "base64url").toString("utf8");
}

// The library's messages quote what was sent.
async function refusing<T>(verify: () => Promise<T>): Promise<T> {
	try {
		return await verify();
	} catch (error) {
		throw error instanceof LetheError ? error : new LetheError("sign_in_failed");
	}
}
