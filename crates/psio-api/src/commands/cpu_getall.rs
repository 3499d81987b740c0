//! `cpu.getall`: how busy each CPU is.

use schemars::JsonSchema;
use serde_json::json;

use crate::command::{Example, Read};
use crate::data::topics::Topics;
use crate::data::unknown::{Reason, Unknown};
use crate::data::view::{View, sampled};
use crate::error::ApiError;
use crate::rows::{ListParams, Row, Rows};
use crate::value::hundredths;

/// Usage of every online CPU over the window that `meta.window_ms` tells. Source: `/proc/stat`, lines `cpuN`; see
/// proc_stat(5).
#[derive(JsonSchema)]
pub struct CpuGetAll;

crate::row! {
    /// How one CPU spent the window.
    pub struct CpuRow, key [num], searched [num] {
        /// The kernel's number of this CPU. Offline CPUs are not listed.
        pub num: u32,
        /// Percent of the window in which it was neither idle nor waiting for a disk, 0–100.
        pub usage: Option<f64>,
        /// Percent spent on processes in user mode, niced ones included.
        pub user: Option<f64>,
        /// Percent spent in the kernel, interrupts included.
        pub system: Option<f64>,
        /// Percent idle while a disk request was outstanding.
        pub iowait: Option<f64>,
        /// Percent taken by the hypervisor for others.
        pub steal: Option<f64>,
    }
}

impl Read for CpuGetAll {
    const NAME: &'static str = "cpu.getall";
    type Params = ListParams<CpuRow>;
    type Reply = Rows<CpuRow>;

    fn needs(_: &Self::Params) -> Topics {
        Topics::CPU
    }

    fn run(view: &View, _: &Self::Params) -> Result<Self::Reply, ApiError> {
        let cpus = &sampled(view.now.cpus.as_ref(), "CPU time")?.value.cpus;
        let rates = view.cpu_rates();
        let rows = cpus.iter().zip(rates).map(|(cpu, rates)| CpuRow {
            num: cpu.num,
            usage: rates.map(|rates| hundredths(rates.busy)),
            user: rates.map(|rates| hundredths(rates.user)),
            system: rates.map(|rates| hundredths(rates.system)),
            iowait: rates.map(|rates| hundredths(rates.iowait)),
            steal: rates.map(|rates| hundredths(rates.steal)),
        });
        let unknown = if rates.iter().any(Option::is_none) { no_earlier_reading() } else { Unknown::new() };
        Ok(Rows::new(rows.collect(), unknown))
    }

    fn examples() -> Vec<Example> {
        vec![
            Example::new("How busy each CPU is", json!({})),
            Example::new(
                "The busiest CPU, its number and usage alone",
                json!({
                    "fields": ["num", "usage"], "sort": "-usage", "limit": 1
                }),
            ),
        ]
    }
}

fn no_earlier_reading() -> Unknown {
    let rates = CpuRow::FIELDS.iter().filter(|field| field.name != "num");
    rates.map(|field| (field.name.to_owned(), Reason::Absent)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example_machine;
    use std::sync::Arc;

    #[test]
    fn a_first_reading_is_null_and_says_why() {
        let view = example_machine::view();
        let first = View::new(view.now, Arc::default(), view.viewer);
        let prepared = crate::command::Command::read::<CpuGetAll>();
        let crate::command::Run::Read(prepare) = prepared.run else { panic!("cpu.getall reads") };
        let answer = prepare(serde_json::Map::new()).unwrap().run(&first).unwrap();
        let rows: serde_json::Value = serde_json::from_slice(&answer.json).unwrap();
        assert_eq!(rows[0]["usage"], serde_json::Value::Null);
        assert_eq!(answer.unknown["usage"], Reason::Absent);
    }
}
