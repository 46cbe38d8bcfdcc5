// What the processing of a message rests on, as far as other duties hang on it: consent (GDPR Art. 6(1)(a), 9(2)(a)) or a contract (Art. 6(1)(b)).

import type { FactsContext } from "../domain/decision.ts";
import { mentions } from "./words.ts";

// Those of the packs gdpr and uk.
const consents = ["consent", "explicit_consent", "express_consent", "6_1_a", "art6_1_a", "9_2_a", "art9_2_a"];
const contracts = ["contract", "contractual_necessity", "6_1_b", "art6_1_b"];

/** Whether the basis or the condition for special categories is consent, in any of the packs' spellings. */
export function restsOnConsent({ lawfulBasis, art9Condition }: FactsContext): boolean {
	return isNamed(lawfulBasis, consents) || isNamed(art9Condition, consents);
}

/** Whether the basis is a contract, in any of the packs' spellings. */
export function restsOnContract({ lawfulBasis }: FactsContext): boolean {
	return isNamed(lawfulBasis, contracts);
}

function isNamed(word: unknown, phrases: string[]): boolean {
	return typeof word === "string" && mentions(word, phrases);
}
