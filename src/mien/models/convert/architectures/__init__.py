"""Nets whose published file holds weights alone: the graph is written here, one file a net.

The graphs are those of DeepFace's Keras code (serengil/deepface 0.0.103, MIT licence, copyright
2019 Sefik Ilkin Serengil), written anew and shorter; each file names where DeepFace has it from.
"""
