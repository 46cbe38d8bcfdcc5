// A bearer API key.

import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import { LetheError } from "../../domain/errors.ts";
import type { Authenticator } from "../plugins/auth.ts";
import { type Keyring, principalOf } from "./keyring.ts";
import { requireSignature, type SignatureDeps } from "./signature.ts";

type ApiKeyDeps = SignatureDeps & { keyring: Pick<Keyring, "alert" | "mustSign" | "open"> };

const bearerPattern = /^Bearer (lethe_key_\S{1,128})$/i;

/** Its calls throw LetheError unauthenticated | address_refused | proof_invalid | signature_invalid | store_unavailable | keys_unavailable. */
export function createApiKeyAuthenticator(deps: ApiKeyDeps): Authenticator {
	return async (request) => {
		const text = bearerPattern.exec(request.headers.authorization ?? "")?.[1];
		if (text === undefined) return undefined;
		const key = await deps.keyring.open(text, request);
		// Its text alone proves nothing: it is good for tokens only, and whoever shows it here may have stolen it.
		if (isForTokens(key)) {
			await deps.keyring.alert(key, "proof_invalid", request.id);
			throw new LetheError("proof_invalid");
		}
		const { freshMfa = false } = request.routeOptions.config.access ?? {};
		if (await deps.keyring.mustSign(key, freshMfa)) await requireSignature(deps, key, request);
		return principalOf(key, "key");
	};
}

/** Whether it is good for tokens only, each bound to what its proof is: its text proves nothing by itself. */
export function isForTokens({ proof }: Pick<ApiKeyDocument, "proof">): boolean {
	return proof === "dpop" || proof === "certificate";
}
