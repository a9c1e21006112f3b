//! `lamina keys`, as an operator types it: beside a running service, after it has stopped, and from
//! elsewhere.

use std::process::{Output, Stdio};

use reqwest::{Client, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::Process;

/// A database in a folder of its own, and the options that name it.
pub(crate) struct Deployment {
    pub(crate) folder: TempDir,
    pub(crate) options: Vec<(&'static str, String)>,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("lamina.db").display().to_string();
        let options = vec![("DATABASE_PATH", database), ("PORT", "0".to_owned())];
        Self { folder, options }
    }

    /// The same, with the database in a folder inside, which is not there yet.
    pub(crate) fn in_folder(inside: &str) -> Self {
        let mut deployment = Self::new();
        let database = deployment.folder.path().join(inside).join("lamina.db");
        deployment.options[0].1 = database.display().to_string();
        deployment
    }

    /// How much was made in its folder.
    pub(crate) fn made(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }

    pub(crate) fn pairs(&self) -> Vec<(&str, &str)> {
        let pairs = self.options.iter();
        pairs.map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str], more: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lamina"));
        command.args(arguments).env_clear().kill_on_drop(true);
        command.envs(self.pairs()).envs(more.iter().copied());
        command.stdin(Stdio::null()).current_dir(self.folder.path());
        command.output().await.unwrap()
    }

    /// Its standard output, when it went well.
    pub(crate) async fn says(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, &[]).await;
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }
}

pub(crate) async fn status(base: &str, key: &str) -> StatusCode {
    let client = Client::builder().no_proxy().build().unwrap();
    let request = client.get(format!("{base}/api/jobs")).bearer_auth(key);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn a_key_is_made_and_revoked_while_the_service_runs() {
    let deployment = Deployment::new();
    let service = Process::start(&deployment.pairs()).await;
    let key = deployment
        .says(&["keys", "new", "app", "--rate", "20/s burst 40"])
        .await;
    let key = key.trim();
    assert!(key.starts_with("lam_") && !key.contains('\n'), "{key}");
    assert_eq!(status(&service.base, key).await, 200);
    let list = deployment.says(&["keys", "list"]).await;
    assert!(
        list.contains("20/s burst 40") && !list.contains(&key[4..]),
        "{list}"
    );
    let line = list.lines().find(|line| line.contains(" app ")).unwrap();
    let id = line.split_whitespace().next().unwrap();
    deployment.says(&["keys", "revoke", id]).await;
    assert_eq!(status(&service.base, key).await, 401);
    let (_, log) = service.terminate().await;
    assert!(log.contains("an API key was made") && !log.contains(&key[4..]));
    assert!(!deployment.folder.path().join("lamina.db.operator").exists());
}

#[tokio::test]
async fn a_key_made_while_the_service_is_stopped_works_when_it_starts() {
    let deployment = Deployment::new();
    let key = deployment.says(&["keys", "new", "app"]).await;
    let json = deployment.says(&["keys", "list", "--json"]).await;
    let list: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(list["keys"][0]["name"], "app");
    let service = Process::start(&deployment.pairs()).await;
    assert_eq!(status(&service.base, key.trim()).await, 200);
    assert_eq!(status(&service.base, "another").await, 401);
    service.terminate().await;
}

#[tokio::test]
async fn a_service_elsewhere_wants_its_admin_key() {
    let (mut there, here) = (Deployment::new(), Deployment::new());
    there
        .options
        .push(("ADMIN_KEY", "the-key-of-the-operator".to_owned()));
    let service = Process::start(&there.pairs()).await;
    let ask = ["keys", "new", "app", "--url", service.base.as_str()];
    let made = here
        .run(&ask, &[("ADMIN_KEY", "the-key-of-the-operator")])
        .await;
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).unwrap();
    assert_eq!(status(&service.base, key.trim()).await, 200);
    for (more, said) in [
        (&[][..], "set ADMIN_KEY"),
        (
            &[("ADMIN_KEY", "another-key-altogether")][..],
            "401 unauthorized",
        ),
    ] {
        let refused = here.run(&ask, more).await;
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && error.contains(said), "{error}");
    }
    service.terminate().await;
}

#[tokio::test]
async fn an_address_that_strangers_reach_is_not_served_without_any_key() {
    let mut deployment = Deployment::new();
    deployment.options.push(("HOST", "0.0.0.0".to_owned()));
    let (ended, said) = Process::spawn(&deployment.pairs()).ended().await;
    assert!(
        !ended.success() && said.contains("lamina keys new NAME"),
        "{said}"
    );
}
