// Prints a line a second, such as: cpu 12% mem 34% (NaN where the machine does not know).
import { connect } from "psio";

const psio = connect(process.argv[2] ?? process.env.PSIO_URL);
for await (const { data: cpus } of psio.subscribe("cpu.getall", { fields: ["usage"] })) {
  const cpu = cpus.reduce((sum, { usage }) => sum + (usage ?? NaN), 0) / cpus.length;
  const { virtual } = await psio.get("memory.getall");
  console.log(`cpu ${cpu.toFixed(0)}% mem ${(virtual.percent ?? NaN).toFixed(0)}%`);
}
