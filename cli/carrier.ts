// `lethe carrier`: what a carrier sent, judged offline: callbacks, segment counts and SMPP PDUs.

import { Command } from "commander";
import { decodeCommand } from "./carrier/decode.ts";
import { segmentsCommand } from "./carrier/segments.ts";
import { verifyCommand } from "./carrier/verify.ts";
import { addExamples } from "./examples.ts";

/** None of them needs a server. */
export function carrierCommand(): Command {
	const carrier = new Command("carrier").description("check what a carrier sent; no server needed");
	for (const command of [verifyCommand(), segmentsCommand(), decodeCommand()]) carrier.addCommand(command);
	return addExamples(carrier, examples);
}

const examples = {
	verify: "lethe carrier verify twilio --request request.json",
	segments: "lethe carrier segments --file texts.json",
	decode: "lethe carrier decode smpp --file pdus.json",
};
