//! Makes many finished jobs of the one in a database, as they would be after a busy day: the same
//! columns with ids and times of their own, also in the tables that go with a job. The service is not
//! running meanwhile. Their files are not there, and nobody asks for them.

use std::path::Path;

use anyhow::ensure;
use rusqlite::Connection;

/// Tables with a row or more of each job, and what tells the rows apart.
const TABLES: [(&str, &str); 3] = [
    ("jobs", "id"),
    ("layers", "job_id"),
    ("submissions", "job_id"),
];
/// Between jobs, back from the one that is there: a million stay within a day.
const APART_MS: u32 = 80;
/// Times of a job that go back with it.
const TIMES: [&str; 6] = [
    "created_at",
    "expires_at",
    "finished_at",
    "accepted_at",
    "opened_at",
    "closed_at",
];

/// Makes `count` more of the job in this database.
pub(super) fn multiply(database: &Path, count: u32) -> anyhow::Result<()> {
    let mut connection = Connection::open(database)?;
    let jobs: u32 = connection.query_row("select count(*) from jobs", [], |row| row.get(0))?;
    ensure!(jobs == 1, "{jobs} jobs instead of one");
    let transaction = connection.transaction()?;
    for (table, id) in TABLES {
        let columns: Vec<String> = transaction
            // Generated columns are not among these.
            .prepare("select name from pragma_table_info(?)")?
            .query_map([table], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let values: Vec<String> = columns.iter().map(|column| value(column, id)).collect();
        transaction.execute(
            &format!(
                "with recursive counted(n) as (select 1 union all select n + 1 from counted where n < ?) \
                 insert into {table} ({}) select {} from counted, {table} as one",
                columns.join(", "),
                values.join(", ")
            ),
            [count],
        )?;
    }
    Ok(transaction.commit()?)
}

/// What a column of the `n`th copy holds.
fn value(column: &str, id: &str) -> String {
    if column == id {
        // Older than every real one, which begin with the time.
        return "printf('01900000-0000-7000-8000-%012x', n)".to_owned();
    }
    if column == "nonce" {
        return "printf('%032x', n)".to_owned();
    }
    // The order in which an owner's jobs ended, behind the one that is there.
    if column == "ended_seq" {
        return format!("one.{column} + n");
    }
    if TIMES.contains(&column) {
        return format!("one.{column} - n * {APART_MS}");
    }
    format!("one.{column}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lamina::app::Tuning;

    use super::*;
    use crate::client::{Connection as Client, post};
    use crate::peers::load::completed;
    use crate::picture;
    use crate::service::{Service, Way};
    use crate::stage::Stage;

    /// The schema is the service's own, with all of its checks and triggers.
    #[test]
    fn a_job_of_the_service_can_be_made_many() {
        let stage = Stage::new().unwrap();
        let service = Service::start(&stage, Way::Polling, false, Tuning::default()).unwrap();
        let create = post("/api/jobs", &picture::create_body(&picture::png().unwrap()));
        stage.client.block_on(async {
            let mut client = Client::open(service.address).await.unwrap();
            let answer = client.expect(&create, 202).await.unwrap().json().unwrap();
            let id = answer["job_id"].as_str().unwrap().to_owned();
            completed(&mut client, &id, Duration::from_millis(20))
                .await
                .unwrap();
        });
        let folder = service.stop(&stage).unwrap();
        let database = folder.path().join("lamina.db");
        multiply(&database, 50).unwrap();
        let connection = Connection::open(&database).unwrap();
        for (table, id) in TABLES {
            let counted = format!("select count(distinct {id}), count(*) from {table}");
            let (jobs, rows): (u32, u32) = connection
                .query_row(&counted, [], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap();
            assert_eq!((jobs, rows % jobs), (51, 0), "{table}");
        }
        let newest = "select id not like '01900000-%' from jobs order by created_at desc limit 1";
        assert!(
            connection
                .query_row(newest, [], |row| row.get::<_, bool>(0))
                .unwrap()
        );
    }
}
