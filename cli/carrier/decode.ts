// `lethe carrier decode smpp --file FILE`: each of an array of PDUs, decoded strictly, or the code of what is wrong with it.

import { Command } from "commander";
import { describe } from "../../adapters/carriers/smpp/describe.ts";
import { decodePdu } from "../../adapters/carriers/smpp/pdu.ts";
import { exitCodes, Refusal, run } from "../run.ts";
import { readTexts } from "./readFile.ts";

/** Exit 0: decoded or told what is wrong, a line each; 2: the input can't be used. */
export function decodeCommand(): Command {
	return new Command("decode")
		.description("decode each of an array of PDUs in hex, one JSON line each: the PDU, or {error}")
		.argument("<protocol>", "smpp: SMPP 3.4")
		.requiredOption("--file <file>", "JSON: an array of texts in hex")
		.option("--json", "print JSON, as it does anyway")
		.action((protocol: string, options: { file: string }) =>
			run("carrier decode", () => decode(protocol, options.file)),
		);
}

async function decode(protocol: string, file: string): Promise<number> {
	if (protocol !== "smpp") throw new Refusal("the only protocol is smpp.");
	for (const text of await readTexts(file)) console.log(JSON.stringify(decodeHex(text)));
	return exitCodes.yes;
}

function decodeHex(hex: string): object {
	if (hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) return { error: "not_hex" };
	const pdu = decodePdu(Buffer.from(hex, "hex"));
	return "error" in pdu ? pdu : describe(pdu);
}
