-- Temporal's second database, for searching runs; PostgreSQL runs this file once, when its volume is empty.
CREATE DATABASE temporal_visibility OWNER temporal;
