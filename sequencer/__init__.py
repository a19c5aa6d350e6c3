"""Forecasters: how descriptors follow each other, and what comes next."""
