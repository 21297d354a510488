"""Requests that the server makes to addresses which its users name: where they may go, and how one is made.

A host is resolved once, each of its addresses is judged by the list in `addresses`, and the connection is made to an
address that passed. No redirect is followed, no proxy is used, and what is read of an answer is bounded in bytes and
time.
"""
