//! Each rule of `render::check`, broken alone: a tree that is right, one change, and the rule that must say so.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll::model::Severity;
use plimsoll::render::check::{RULES, files};

use crate::support::program::Plimsoll;

/// A tree in which nothing is wrong. Comments name the lines that tests change.
const TREE: &str = r#"apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata:
  name: acme
---
apiVersion: kargo.akuity.io/v1alpha1
kind: ProjectConfig
metadata:
  name: acme
  namespace: acme
spec:
  promotionPolicies:
  - stageSelector:
      matchLabels:
        auto: "yes"
    autoPromotionEnabled: true
  webhookReceivers:
  - name: hub
    dockerhub:
      secretRef:
        name: hub
  - name: own
    generic:
      secretRef:
        name: own
      actions:
      - action: Refresh
        targetSelectionCriteria:
        - kind: Warehouse
          indexSelector:
            matchIndices:
            - key: subscribedURLs
              operator: Equals
              value: "${{ normalizeImage(request.body.image) }}"
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata:
  name: portal
  namespace: acme
  labels:
    team: "web"
spec:
  interval: 15m0s
  freightCreationPolicy: Automatic
  subscriptions:
  - image:
      repoURL: docker.io/acme/portal
      imageSelectionStrategy: SemVer
      constraint: ">=1.0.0"
      allowTagsRegexes:
      - ^v
      strictSemvers: true
      discoveryLimit: 20
  - git:
      repoURL: https://github.com/acme/portal.git
      commitSelectionStrategy: NewestFromBranch
      branch: main
      strictSemvers: true
      discoveryLimit: 20
      expressionFilter: "!(author contains '<bot@acme.example>')"
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata:
  name: base
  namespace: acme
spec:
  interval: 24h0m0s
  freightCreationPolicy: Manual
  subscriptions:
  - image:
      repoURL: docker.io/library/node
      imageSelectionStrategy: Digest
      constraint: "22"
      strictSemvers: true
      discoveryLimit: 20
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Freight
metadata:
  name: 6c83d465172ceff5b6ce331c4b2b05e1b8e0e2da
  namespace: acme
origin:
  kind: Warehouse
  name: base
images:
- repoURL: docker.io/library/node
  tag: "22"
  digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
---
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata:
  name: dispatch
  namespace: acme
spec:
  vars:
  - name: base
  steps:
  - uses: http
    as: send
    if: "${{ imageFrom(vars.base).Digest != 'x' }}"
    retry:
      timeout: 10m0s
    config:
      method: POST
      url: https://api.example.com
      successExpression: response.status == 204
      failureExpression: response.status >= 400
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata:
  name: analyze
  namespace: acme
  labels:
    auto: "yes"
spec:
  vars:
  - name: repo
    value: docker.io/acme/portal
  requestedFreight:
  - origin:
      kind: Warehouse
      name: portal
    sources:
      direct: true
  promotionTemplate:
    spec:
      steps:
      - uses: compose-output
        as: image
        config:
          ref: "${{ imageFrom(vars.repo).Digest }}"
  verification:
    analysisTemplates:
    - name: analysis
    args:
    - name: tag
      value: "${{ quote(imageFrom(vars.repo).Tag) }}"
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata:
  name: later
  namespace: acme
  labels:
    auto: "yes"
spec:
  requestedFreight:
  - origin:
      kind: Warehouse
      name: base
    sources:
      stages:
      - first
      requiredSoakTime: 1h0m0s
  promotionTemplate:
    spec:
      steps:
      - task:
          name: dispatch
        as: rebuild
        vars:
        - name: base
          value: docker.io/library/node
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Stage
metadata:
  name: first
  namespace: acme
  labels:
    auto: "yes"
spec:
  requestedFreight:
  - origin:
      kind: Warehouse
      name: base
    sources:
      direct: true
  promotionTemplate:
    spec:
      steps:
      - uses: compose-output
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata:
  name: analysis
  namespace: acme
spec:
  args:
  - name: tag
  metrics:
  - name: analyze
    provider:
      job:
        spec:
          template:
            spec:
              restartPolicy: Never
              containers:
              - name: analyze
                image: example/plimsoll:1
                args:
                - "{{args.tag}}"
---
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata:
  name: acme
  namespace: argocd
spec: {}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: acme
  namespace: argocd
  annotations:
    note: "1"
spec:
  project: acme
  source:
    repoURL: https://git.acme.example/images.git
    targetRevision: refs/heads/main
    path: rendered/kargo
  destination:
    server: https://kubernetes.default.svc
    namespace: acme
  syncPolicy:
    automated:
      prune: true
      allowEmpty: false
    retry:
      limit: 5
    syncOptions:
    - ServerSideApply=true
---
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: acme
  namespace: argocd
spec:
  goTemplate: true
  goTemplateOptions:
  - missingkey=error
  generators: []
"#;

/// Rule, what is changed, and into what.
const BREAKS: &[(&str, &str, &str)] = &[
    ("Y1", "  name: acme\n  namespace: acme\nspec:\n  promotion", "  name: acme\n  name: acme\n  namespace: acme\nspec:\n  promotion"),
    ("Y1", "spec: {}", "spec: *x"),
    ("Y1", "\"!(author contains '<bot@acme.example>')\"", "!(author contains x)"),
    ("Y1", "spec: {}", "spec: ["),
    ("Y2", "kind: AppProject\n", ""),
    ("Y4", "  name: first\n  namespace: acme\n  labels", "  name: analyze\n  namespace: acme\n  labels"),
    ("N1", "kind: AppProject\nmetadata:\n  name: acme", "kind: AppProject\nmetadata:\n  name: Acme_1"),
    (
        "N1",
        "kind: ApplicationSet\nmetadata:\n  name: acme",
        "kind: ApplicationSet\nmetadata:\n  name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ),
    ("N2", "note: \"1\"", "note: 1"),
    ("N2", "team: \"web\"", "team: \"the web\""),
    ("A1", "kind: Project\nmetadata:\n  name: acme", "kind: Project\nmetadata:\n  name: other"),
    ("A2", "kind: ProjectConfig\nmetadata:\n  name: acme", "kind: ProjectConfig\nmetadata:\n  name: other"),
    ("A2", "kind: Project\nmetadata:\n  name: acme\n", "kind: Project\nmetadata:\n  name: acme\nspec:\n  promotionPolicies: []\n"),
    (
        "A3",
        "  - stageSelector:\n      matchLabels:\n        auto: \"yes\"\n",
        "  - stage: analyze\n    stageSelector:\n      matchLabels:\n        auto: \"yes\"\n",
    ),
    ("A4", "  - stageSelector:\n", "  - stage: first\n  - stageSelector:\n      name: first\n  - stageSelector:\n"),
    ("A4", "      matchLabels:\n        auto", "      name: 'regex:('\n      matchLabels:\n        auto"),
    ("A5", "  - name: own\n", "  - name: hub\n"),
    ("A5", "    dockerhub:\n", "    quay:\n      secretRef:\n        name: x\n    dockerhub:\n"),
    ("A5", "        - kind: Warehouse\n", "        - kind: Promotion\n"),
    ("A5", "            - key: subscribedURLs\n", "            - key: other\n"),
    ("A6", "  - git:\n      repoURL", "    git:\n      repoURL"),
    (
        "A6",
        "  subscriptions:\n  - image:\n      repoURL: docker.io/library/node\n      imageSelectionStrategy: Digest\n      constraint: \"22\"\n      strictSemvers: true\n      discoveryLimit: 20\n",
        "  subscriptions: []\n",
    ),
    ("A7", "repoURL: docker.io/acme/portal\n      image", "repoURL: docker.io/acme/por--tal\n      image"),
    ("A7", "https://github.com/acme/portal.git", "git@github.com:acme/portal.git"),
    ("A7", "branch: main", "branch: -main"),
    ("A8", "imageSelectionStrategy: SemVer", "imageSelectionStrategy: Newest"),
    ("A8", "commitSelectionStrategy: NewestFromBranch", "commitSelectionStrategy: Newest"),
    ("A9", "      constraint: \"22\"\n", ""),
    ("A10", "constraint: \">=1.0.0\"", "constraint: latest"),
    ("A11", "      discoveryLimit: 20\n  - git", "      discoveryLimit: 101\n  - git"),
    ("A12", "      constraint: \">=1.0.0\"\n", "      constraint: \">=1.0.0\"\n      platform: linux\n"),
    ("A12", "      constraint: \">=1.0.0\"\n", "      constraint: \">=1.0.0\"\n      cacheByTag: \"true\"\n"),
    (
        "A12",
        "      imageSelectionStrategy: Digest\n      constraint: \"22\"\n",
        "      imageSelectionStrategy: Lexical\n      cacheByTag: true\n",
    ),
    (
        "A13",
        "  - git:\n",
        "  - image:\n      repoURL: index.docker.io/Acme/portal\n      imageSelectionStrategy: SemVer\n      strictSemvers: true\n      discoveryLimit: 20\n  - git:\n",
    ),
    (
        "A14",
        "  requestedFreight:\n  - origin:\n      kind: Warehouse\n      name: portal\n",
        "  requestedFreight:\n  - origin:\n      kind: Warehouse\n      name: portal\n    sources:\n      direct: true\n  - origin:\n      kind: Warehouse\n      name: portal\n",
    ),
    (
        "A15",
        "      requiredSoakTime: 1h0m0s\n",
        "      direct: true\n      autoPromotionOptions:\n        selectionPolicy: MatchUpstream\n",
    ),
    ("A16", "as: image", "as: step-1"),
    ("A17", "      - task:\n", "      - uses: compose-output\n        task:\n"),
    ("A17", "        as: rebuild\n", "        as: rebuild\n        if: \"true\"\n"),
    ("A18", "  - uses: http\n    as: send\n", "  - task:\n      name: other\n    as: send\n"),
    ("A19", "interval: 15m0s", "interval: 7d"),
    ("A20", "  - name: repo\n", "  - name: re-po\n"),
    ("A21", "  name: 6c83d465172ceff5b6ce331c4b2b05e1b8e0e2da", "  name: 0000000000000000000000000000000000000000"),
    ("A21", "  kind: Warehouse\n  name: base\nimages", "  kind: Stage\n  name: base\nimages"),
    ("A21", "digest: sha256:aaaa", "digest: sha256:aaa"),
    ("R1", "      allowTagsRegexes:\n      - ^v\n", "      allowTags: ^v\n"),
    ("R1", "      constraint: \">=1.0.0\"\n", "      semverConstraint: \">=1.0.0\"\n"),
    ("R1", "      branch: main\n", "      branch: main\n      brunch: main\n"),
    ("R2", "      - ^v\n", "      - (v\n"),
    ("R2", "      - ^v\n", "      - latest\n"),
    ("R3", "uses: http\n", "uses: gha-dispatch-workflow\n"),
    ("R3", "      method: POST\n", "      method: POST\n      retries: 3\n"),
    ("R3", "      url: https://api.example.com\n", ""),
    ("R3", "      url: https://api.example.com\n", "      url: https://api.example.com\n      timeout: 30\n"),
    ("R3", "      url: https://api.example.com\n", "      url: https://api.example.com\n      headers: none\n"),
    ("R3", "      url: https://api.example.com\n", "      url: https://api.example.com\n      insecureSkipTLSVerify: \"true\"\n"),
    ("R4", "ref: \"${{ imageFrom(vars.repo).Digest }}\"", "ref: \"${{ imageFrom(vars.repo).Digest\""),
    ("R4", "ref: \"${{ imageFrom(vars.repo).Digest }}\"", "ref: \"${{ quote({'a': {'b': 1}}) }}\""),
    ("R4", "<bot@acme.example>')", "<bot@acme.example>)"),
    ("R5", "\"${{ quote(imageFrom(vars.repo).Tag) }}\"", "\"${{ imageFrom(vars.repo).Tag }}\""),
    ("R5", "\"${{ quote(imageFrom(vars.repo).Tag) }}\"", "\"\""),
    ("R6", "value: docker.io/acme/portal", "value: acme/portal"),
    ("R6", "          value: docker.io/library/node\n", "          value: node\n"),
    (
        "R6",
        "        - name: base\n          value: docker.io/library/node\n",
        "        - name: other\n          value: docker.io/library/node\n",
    ),
    ("R7", "      failureExpression: response.status >= 400\n", ""),
    ("R7", "    retry:\n      timeout: 10m0s\n", ""),
    (
        "R8",
        "      direct: true\n  promotionTemplate:\n    spec:\n      steps:\n      - uses: compose-output\n        as",
        "      direct: false\n  promotionTemplate:\n    spec:\n      steps:\n      - uses: compose-output\n        as",
    ),
    ("R9", "    - name: analysis\n    args", "    - name: other\n    args"),
    ("R9", "          name: dispatch\n", "          name: despatch\n"),
    ("R9", "  project: acme\n", "  project: other\n"),
    (
        "R10",
        "      steps:\n      - uses: compose-output\n        as: image\n        config:\n          ref: \"${{ imageFrom(vars.repo).Digest }}\"\n",
        "      steps: []\n",
    ),
    ("R11", "      steps:\n      - uses: compose-output\n---", "      steps: []\n---"),
    ("R12", "  name: first\n  namespace: acme\n  labels:\n    auto: \"yes\"\n", "  name: first\n  namespace: acme\n"),
    ("R13", "  - name: analyze\n    provider", "  - name: a-metric-with-a-name-of-more\n    provider"),
    ("R13", "\"{{args.tag}}\"", "\"{{ .Values.x }}\""),
    ("R13", "restartPolicy: Never", "restartPolicy: Always"),
    ("R14", "      constraint: \">=1.0.0\"\n", "      constraint: \">=1.0.0\"\n      platform: linux/arm64\n"),
    ("R15", "      expressionFilter: \"!(author contains '<bot@acme.example>')\"\n", ""),
    ("D1", "interval: 15m0s", "interval: 15m"),
    ("D1", "timeout: 10m0s", "timeout: 600s"),
    ("D1", "  interval: 24h0m0s\n", ""),
    ("D2", "      strictSemvers: true\n      discoveryLimit: 20\n  - git", "      discoveryLimit: 20\n  - git"),
    ("D2", "  freightCreationPolicy: Manual\n", ""),
    ("D3", "    team: \"web\"", "    kargo.akuity.io/shard: \"web\""),
    ("D4", "spec: {}", "spec: {}\nstatus: {}"),
    ("C1", "    note: \"1\"", "    argocd.argoproj.io/refresh: hard"),
    ("C2", "    targetRevision: refs/heads/main\n", ""),
    ("C2", "    server: https://kubernetes.default.svc\n", ""),
    ("C3", "      allowEmpty: false\n", ""),
    ("C4", "    retry:\n      limit: 5\n", ""),
    ("C4", "ServerSideApply=true", "ServerSideApply"),
    ("C4", "ServerSideApply=true", "Replace=true"),
    ("C5", "  goTemplate: true\n", ""),
    ("C5", "missingkey=error", "missingkey=zero"),
    ("C6", "    note: \"1\"", "    kargo.akuity.io/authorized-stage: acme"),
    ("C6", "    note: \"1\"", "    kargo.akuity.io/authorized-stage: \"*:analyze\""),
    ("C6", "    note: \"1\"", "    kargo.akuity.io/authorized-stage: acme:analyze,acme:first"),
    ("C6", "    note: \"1\"", "    kargo.akuity.io/authorized-stage: acme:missing"),
    (
        "C6",
        "  generators: []\n",
        "  generators: []\n  template:\n    metadata:\n      annotations:\n        kargo.akuity.io/authorized-stage: acme\n",
    ),
];

fn found(text: &str) -> Vec<(&'static str, Severity, String)> {
    let tree = BTreeMap::from([("tree.yaml".to_owned(), text.as_bytes().to_vec())]);
    files(&tree).into_iter().map(|found| (found.finding.rule, found.finding.severity, found.finding.message)).collect()
}

#[test]
fn nothing_is_wrong_with_the_tree() {
    assert_eq!(found(TREE), []);
}

#[test]
fn each_rule_says_when_it_is_broken() {
    for (rule, from, to) in BREAKS {
        assert_eq!(TREE.matches(from).count(), 1, "{rule}: {from:?} must stand there once");
        let said = found(&TREE.replacen(from, to, 1));
        assert!(said.iter().any(|(id, _, _)| id == rule), "{rule}: {from:?} → {to:?}: {said:?}");
    }
}

#[test]
fn no_rule_is_left_out() {
    // Y3 compares with the values that went in, which a tree alone does not have: see manifests_strings.
    let tried: BTreeSet<&str> = BREAKS.iter().map(|(rule, _, _)| *rule).chain(["Y3"]).chain(crate::backstage_rules::tried()).collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(all.len(), RULES.len(), "an id stands twice");
    assert_eq!(tried, all);
}

#[test]
fn the_program_checks_any_tree() {
    let plimsoll = Plimsoll::new();
    let tree = plimsoll.home().join("tree");
    std::fs::create_dir_all(tree.join("deep/er")).unwrap();
    std::fs::write(tree.join("good.yaml"), TREE).unwrap();
    let path = tree.display().to_string();
    let ran = plimsoll.run(&["validate", "--rendered", &path]).expect(0);
    assert_eq!(ran.stdout, "1 file, 0 errors\n");

    let (_, from, to) = BREAKS.iter().find(|(rule, _, _)| *rule == "A9").unwrap();
    std::fs::remove_file(tree.join("good.yaml")).unwrap();
    std::fs::write(tree.join("deep/er/bad.yml"), TREE.replacen(from, to, 1)).unwrap();
    let ran = plimsoll.run(&["validate", "--rendered", &path]).expect(3);
    let line = 1 + TREE[..TREE.find(from).unwrap()].matches('\n').count() - 2;
    assert!(ran.stderr.contains(&format!("deep/er/bad.yml:{line}:")), "{line}: {}", ran.stderr);
    assert!(ran.stderr.contains("A9: document 4: Digest needs the tag"), "{}", ran.stderr);
    let json = plimsoll.run(&["validate", "--rendered", &path, "-o", "json"]).expect(3).json();
    assert_eq!((&json["errors"], &json["diagnostics"][0]["code"]), (&1.into(), &"A9".into()));

    let empty = plimsoll.home().join("empty");
    std::fs::create_dir(&empty).unwrap();
    plimsoll.run(&["validate", "--rendered", &empty.display().to_string()]).expect(1);
}
