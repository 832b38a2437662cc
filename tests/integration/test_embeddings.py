"""Embeddings across forms: OpenAI's client on Bedrock's and Vertex's models, Gemini's client on everybody's."""
import base64
import json
import struct
import unittest

from lib import Dray, Upstream
from test_vertex import Google

VECTOR = [0.5, -0.25, 1e-3]
HEAD = [("content-type", "application/json"), ("x-amzn-bedrock-input-token-count", "7")]


def bedrock(x):
    q = json.loads(x.request.body)
    model = x.request.path.split("/")[2]
    if "titan" in model:
        x.whole({"embedding": VECTOR, "embeddingsByType": {"float": VECTOR}, "inputTextTokenCount": 7}, headers=HEAD)
    elif "nova" in model:
        x.whole({"embeddings": [{"embedding": VECTOR, "embeddingType": "TEXT"}]}, headers=HEAD)
    elif "v3" in model:
        x.whole({"embeddings": [VECTOR] * len(q["texts"]), "id": "1", "response_type": "embeddings_floats"}, headers=HEAD)
    elif "broken" in model:
        x.whole({"message": "no such model"}, 404, [("x-amzn-errortype", "ResourceNotFoundException:http://x")])
    elif "junk" in model:
        x.whole({"embeddings": {"float": [1, 2]}}, headers=HEAD)
    else:
        x.whole({"embeddings": {"float": [VECTOR] * len(q["texts"])}, "response_type": "embeddings_by_type"}, headers=HEAD)


def openai(x):
    q = json.loads(x.request.body)
    x.whole({"object": "list", "model": q["model"], "usage": {"prompt_tokens": 7, "total_tokens": 7},
             "data": [{"object": "embedding", "index": i, "embedding": VECTOR} for i in range(len(q["input"]))]})


class Embeddings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up, cls.openai, cls.google = Upstream(bedrock), Upstream(openai), Google()
        cls.google.handle_models = None
        handle = cls.google.up.handler

        def vertex(x):
            if x.request.path.endswith(":predict"):
                n = len(json.loads(x.request.body)["instances"])
                x.whole({"predictions": [{"embeddings": {"values": VECTOR, "statistics": {"token_count": 3, "truncated": False}}}] * n})
            else:
                handle(x)
        cls.google.up.handler = vertex
        cls.dray = Dray(cls.google.config() + f"  b: {{kind: bedrock, region: us-east-1, api_key: k, base_url: \"http://127.0.0.1:{cls.up.port}\"}}\n"
                        f"  o: {{kind: openai, api_key: k, base_url: \"{cls.openai.base}\"}}\n")

    @classmethod
    def tearDownClass(cls):
        cls.dray.stop()
        for u in (cls.up, cls.openai, cls.google.up):
            u.close()

    def booked(self, m, tokens=7):
        row = self.dray.row(m)
        self.assertEqual((row["input_tokens"], row["output_tokens"], row["token_source"], row["task"], row["endpoint"]), (tokens, 0, "provider", "embed", "embeddings"))

    def test_openai_client_on_bedrock(self):
        sent = {"amazon.titan-embed-text-v2:0": {"inputText": "Hi \"you\".", "dimensions": 256},
                "amazon.nova-2-multimodal-embeddings-v1:0": {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {
                    "embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": 256, "text": {"truncationMode": "NONE", "value": "Hi \"you\"."}}},
                "us.cohere.embed-v4:0": {"texts": ["Hi \"you\"."], "input_type": "search_document", "output_dimension": 256},
                "cohere.embed-multilingual-v3": {"texts": ["Hi \"you\"."], "input_type": "search_document", "output_dimension": 256}}
        for model, want in sent.items():
            with self.subTest(model):
                m = self.dray.call({"model": f"b/{model}", "input": "Hi \"you\".", "dimensions": 256}, "/v1/embeddings")
                self.assertEqual((m.status, m.json()), (200, {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": VECTOR}],
                                                              "model": model, "usage": {"prompt_tokens": 7, "total_tokens": 7}}), m.body)
                up = self.up.last()
                self.assertEqual((up.path, up.json()), (f"/model/{model.replace(':', '%3A')}/invoke", want))
                self.booked(m)

    def test_several_texts_and_base64(self):
        m = self.dray.call({"model": "b/cohere.embed-v4:0", "input": ["a", "b", "c"], "encoding_format": "base64"}, "/v1/embeddings")
        self.assertEqual([d["index"] for d in m.json()["data"]], [0, 1, 2])
        for d in m.json()["data"]:
            self.assertEqual(struct.unpack("<3f", base64.b64decode(d["embedding"])), struct.unpack("<3f", struct.pack("<3f", *VECTOR)))
        self.booked(m)

    def test_vertex(self):
        m = self.dray.call({"model": "v/text-embedding-005", "input": ["a", "b"], "dimensions": 128}, "/v1/embeddings")
        self.assertEqual([d["embedding"] for d in m.json()["data"]], [VECTOR, VECTOR])
        up = self.google.calls()[-1]
        self.assertEqual((up.path, up.json()), ("/v1/projects/my-proj/locations/europe-west1/publishers/google/models/text-embedding-005:predict",
                                                {"instances": [{"content": "a"}, {"content": "b"}], "parameters": {"outputDimensionality": 128}}))
        self.booked(m, 6)

    def test_gemini_client_on_others(self):
        one = {"content": {"parts": [{"text": "Some "}, {"text": "words."}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64}
        m = self.dray.call(one, "/v1beta/models/o%2Fe:embedContent")
        self.assertEqual((m.status, m.json()["embedding"]), (200, {"values": VECTOR}), m.body)
        self.assertEqual((self.openai.last().path, self.openai.last().json()), ("/v1/embeddings", {"model": "e", "input": ["Some words."], "dimensions": 64, "encoding_format": "float"}))
        self.booked(m)
        m = self.dray.call({"requests": [{"model": "models/x", **one}, {"content": {"parts": [{"text": "b"}]}}]}, "/v1beta/models/b%2Fcohere.embed-v4:0:batchEmbedContents")
        self.assertEqual(m.json()["embeddings"], [{"values": VECTOR}] * 2)
        self.assertEqual(self.up.last().json(), {"texts": ["Some words.", "b"], "input_type": "search_query", "output_dimension": 64})
        self.booked(m)

    def test_what_cannot_be(self):
        for body, status, why in (({"model": "b/amazon.titan-embed-text-v2:0", "input": ["a", "b"]}, 400, "one text a call"),
                                  ({"model": "b/amazon.titan-embed-text-v2:0", "input": [[1, 2]]}, 400, "takes no tokens"),
                                  ({"model": "b/cohere.embed-v4:0", "input": []}, 400, "input must be"),
                                  ({"model": "b/cohere.broken", "input": "a"}, 404, "no such model"),
                                  ({"model": "b/cohere.junk", "input": "a"}, 502, "could not be read")):
            with self.subTest(why):
                m = self.dray.call(body, "/v1/embeddings")
                self.assertEqual(m.status, status, m.body)
                self.assertIn(why, m.json()["error"]["message"])
        m = self.dray.call({"content": {"parts": [{"text": "a"}]}}, "/v1beta/models/b%2Fcohere.broken:embedContent")
        self.assertEqual((m.status, m.json()["error"]["code"], m.json()["error"]["message"]), (404, 404, "no such model"))


if __name__ == "__main__":
    unittest.main()
