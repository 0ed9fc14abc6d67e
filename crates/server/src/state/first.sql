-- One text for SQLite and PostgreSQL. Instants are milliseconds since 1970; truth values are 0 and 1.
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    batch TEXT,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    location TEXT NOT NULL,
    video BIGINT NOT NULL,
    options TEXT NOT NULL,
    interactive BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    losses BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    lease_until BIGINT,
    created BIGINT NOT NULL,
    started BIGINT,
    finished BIGINT,
    cached BIGINT NOT NULL,
    report TEXT,
    verdict TEXT,
    probability DOUBLE PRECISION,
    declared TEXT,
    error_code TEXT,
    error TEXT,
    webhook TEXT
);
CREATE INDEX jobs_active ON jobs (state, not_before, id) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_of_owner ON jobs (owner, id);
CREATE INDEX jobs_of_batch ON jobs (batch);
CREATE INDEX jobs_of_media ON jobs (sha256);
CREATE INDEX jobs_of_report ON jobs (report);

-- A result is shared by the jobs of one owner that asked the same of the same bytes.
CREATE TABLE reports (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    config TEXT NOT NULL,
    record TEXT NOT NULL,
    pictures TEXT NOT NULL,
    created BIGINT NOT NULL,
    UNIQUE (owner, sha256, config)
);

CREATE TABLE media (
    sha256 TEXT PRIMARY KEY,
    location TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    used BIGINT NOT NULL
);

CREATE TABLE batches (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE requests (
    owner TEXT NOT NULL,
    request_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    answer TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (owner, request_key)
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    hash TEXT NOT NULL,
    scopes TEXT NOT NULL,
    rate BIGINT,
    created BIGINT NOT NULL,
    expires BIGINT,
    revoked BIGINT,
    used BIGINT
);

CREATE TABLE deliveries (
    job TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    next_at BIGINT,
    outcome TEXT,
    created BIGINT NOT NULL
);

CREATE TABLE feedback (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    report TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    verdict TEXT,
    probability DOUBLE PRECISION,
    says TEXT NOT NULL,
    note TEXT NOT NULL,
    created BIGINT NOT NULL
);

CREATE TABLE audit (
    at BIGINT NOT NULL,
    request TEXT NOT NULL,
    api_key TEXT NOT NULL,
    owner TEXT NOT NULL,
    address TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status BIGINT NOT NULL,
    job TEXT
);
CREATE INDEX audit_at ON audit (at);
