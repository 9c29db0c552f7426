// Reads a record with the MCAP project's own reader and prints what it found; for a person, not part of the test suite.
//   npm install @mcap/core && node mcap-check.mjs RUN.mcap
import { McapIndexedReader, McapStreamReader } from "@mcap/core";
import { readFileSync } from "node:fs";

const bytes = readFileSync(process.argv[2]);
const stream = new McapStreamReader({ validateCrcs: true });
stream.append(bytes);
const records = {};
for (let record; (record = stream.nextRecord()); ) {
  records[record.type] = (records[record.type] ?? 0) + 1;
}

console.log("front to back:", records, "finished:", stream.done());

const size = async () => BigInt(bytes.length);
const read = async (offset, length) => new Uint8Array(bytes.buffer, bytes.byteOffset + Number(offset), Number(length));
const reader = await McapIndexedReader.Initialize({ readable: { size, read } });
const topics = {};
for await (const message of reader.readMessages({ validateCrcs: true })) {
  const { topic, schemaId } = reader.channelsById.get(message.channelId);
  const schema = JSON.parse(new TextDecoder().decode(reader.schemasById.get(schemaId).data));
  const unknown = Object.keys(JSON.parse(new TextDecoder().decode(message.data))).filter(key => !(key in schema.properties));
  topics[topic] = (topics[topic] ?? 0) + 1;
  if (unknown.length > 0) {
    throw new Error(`${topic} holds fields that its schema does not name: ${unknown}`);
  }
}

console.log("through the summary:", topics);
